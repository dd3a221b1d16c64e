# One image for operator, engine and agent. Builds with docker and with buildah.
#
# Nothing is fetched while it builds: hack/image first puts every wheel, checked against its hash,
# into the build context. BASE needs the python3 that the wheels are for (3.11 or newer) with venv,
# at the same path in both stages: python:X.Y-slim, or a Debian root made by debootstrap.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
COPY wheels/ /wheels/
RUN python3 -m venv --without-pip /opt/vip-operator \
 && python3 -m venv /tmp/pip \
 && /tmp/pip/bin/pip --python /opt/vip-operator/bin/python --disable-pip-version-check install \
      --quiet --no-index --no-deps --find-links /wheels /wheels/*.whl \
 && rm -rf /tmp/pip \
 && /opt/vip-operator/bin/python -m compileall -q /opt/vip-operator/lib

FROM ${BASE}
COPY --from=build /opt/vip-operator /opt/vip-operator
ENV PATH=/opt/vip-operator/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The agent and the operator run as this user; the engine's container says 0 (docs/kubernetes.md).
USER 65532:65532
ENTRYPOINT []
CMD ["vip-operator", "--help"]
