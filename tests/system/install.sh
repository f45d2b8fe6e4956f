# What a person types, as docs/install/air-gapped.md and docs/install/systemd.md say: `fetch` with a network, `install` without one.
cd /root/routee-monitor
if [[ $1 == fetch ]]; then
  python3 -m venv /root/fetch
  /root/fetch/bin/pip download --quiet --require-hashes --no-deps --only-binary :all: -r requirements/run.txt -d packages
  exit
fi

python3 -m venv /opt/routee-monitor
/opt/routee-monitor/bin/pip install --quiet --no-index --find-links packages --require-hashes --no-deps -r requirements/run.txt
/opt/routee-monitor/bin/pip install --quiet --no-index --no-deps packages/routee_monitor-*.whl
/opt/routee-monitor/bin/pip check
install -d /etc/routee-monitor
cp -r rules /etc/routee-monitor/
install -d -m 0700 /etc/routee-monitor/secrets
install -m 0644 systemd/routee-monitor.service /etc/systemd/system/

# What is particular to the test: its configuration, its secrets, quicker restarts.
cp /root/monitor.yaml /root/always.yaml /etc/routee-monitor/
printf 'sandbox-secret\n' >/etc/routee-monitor/secrets/routee_secret
printf 'web-token-of-the-test\n' >/etc/routee-monitor/secrets/web_token
chmod 0600 /etc/routee-monitor/secrets/*
install -d /etc/systemd/system/routee-monitor.service.d
cat >/etc/systemd/system/routee-monitor.service.d/test.conf <<'END'
[Service]
LoadCredential=routee_secret:/etc/routee-monitor/secrets/routee_secret
LoadCredential=web_token:/etc/routee-monitor/secrets/web_token
RestartSec=100ms
WatchdogSec=8s
END
cat >/etc/systemd/system/sandbox.service <<'END'
[Service]
ExecStart=/opt/routee-monitor/bin/routee-monitor sandbox --listen 127.0.0.1:9480 --history 10m
DynamicUser=yes
END
