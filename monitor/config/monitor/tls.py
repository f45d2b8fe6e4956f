"""The model of ``web.tls``: the certificate with which the listener speaks TLS."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from monitor.config.yaml import FieldProblem, NestedProblems, Text, ValidationContext, YamlModel, locate

if TYPE_CHECKING:
    from monitor.runtime.server_certificate import ServerCertificate


class Tls(YamlModel):
    """The certificate of the listener."""

    secret_paths = ("key_file",)

    cert_file: Text
    """The certificate, followed by those between it and its authority (PEM)."""
    key_file: Text
    """Its private key (PEM, without a passphrase)."""

    _certificate: "ServerCertificate" = PrivateAttr()

    @property
    def certificate(self) -> "ServerCertificate":
        """Returns the certificate as it was read with the configuration."""
        return self._certificate

    def model_post_init(self, context: Any) -> None:
        from monitor.runtime.server_certificate import CertificateProblem, ServerCertificate

        reading = context if isinstance(context, ValidationContext) else ValidationContext()
        cert_file, key_file = (self._path(name, reading) for name in (self.cert_file, self.key_file))
        try:
            try:
                self._certificate = ServerCertificate.load(cert_file, key_file)
            except CertificateProblem as error:
                if not (error.of_key and reading.late_secrets):
                    raise
                self._certificate = ServerCertificate.without_key(cert_file)
        except CertificateProblem as error:
            raise NestedProblems([FieldProblem(("key_file" if error.of_key else "cert_file",), str(error))]) from None

    @staticmethod
    def _path(name: str, reading: ValidationContext) -> Path:
        try:
            return locate(name, reading.folder, reading.environ)
        except (ValueError, RuntimeError, OSError):  # an invalid file name, or ~ without a home
            return Path(name)
