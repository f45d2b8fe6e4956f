# syntax=docker/dockerfile:1
# Any image with Python 3.11 or newer and its venv module. Pin it by its digest: --build-arg BASE=docker.io/library/python@sha256:…
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements/ requirements/
# --build-arg LOCKS="run apprise" adds Apprise, "run postgresql" the driver of a store in PostgreSQL.
ARG LOCKS=run
# Only packages whose hashes are locked, the build backend included. --no-deps: the locks are whole.
RUN python3 -m venv /opt/routee-monitor \
 && for lock in $LOCKS; do echo "-r requirements/$lock.txt"; done > wanted.txt \
 && /opt/routee-monitor/bin/pip install --quiet --require-hashes --no-deps --only-binary :all: -r wanted.txt \
 && python3 -m venv /build \
 && /build/bin/pip install --quiet --require-hashes --no-deps --only-binary :all: -r requirements/build.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY monitor/ monitor/
COPY rules/ rules/
RUN /build/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/routee-monitor/bin/pip install --quiet --no-deps --no-index /dist/*.whl \
 && /opt/routee-monitor/bin/pip check \
 && /opt/routee-monitor/bin/python -m compileall -q /opt/routee-monitor/lib \
 && /opt/routee-monitor/bin/python -m pip uninstall --quiet --yes pip

FROM ${BASE}
ENV PATH=/opt/routee-monitor/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN groupadd --system --gid 10001 monitor \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/routee-monitor --shell /usr/sbin/nologin monitor \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/routee-monitor \
 && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip
COPY --from=build /opt/routee-monitor /opt/routee-monitor
COPY rules/ /etc/routee-monitor/rules/
# Mount monitor.yaml to /etc/routee-monitor/monitor.yaml. Nothing but /var/lib/routee-monitor is written: --read-only works.
WORKDIR /etc/routee-monitor
USER 10001:10001
VOLUME /var/lib/routee-monitor
EXPOSE 9465
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["routee-monitor", "healthcheck"]
ENTRYPOINT ["routee-monitor"]
CMD ["run", "--config", "/etc/routee-monitor/monitor.yaml"]
