# syntax=docker/dockerfile:1
# Two stages: the wheel and its dependencies are built with pip, the image that runs has neither
# pip's cache nor a compiler, and no user but its own.
FROM python:3.13-slim-trixie@sha256:70729b46c69b4f1e97c4822c1af3df53a1476cf5ddc6c087c0c10bc3a5678c2f AS build
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/build && python -m venv /opt/alert-router \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --requirement requirements-build.txt \
    && /opt/alert-router/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY scripts/sbom.sh ./scripts/
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/alert-router/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
    && scripts/sbom.sh /opt/build/bin/python /opt/alert-router /opt/alert-router/sbom.cdx.json

FROM python:3.13-slim-trixie@sha256:70729b46c69b4f1e97c4822c1af3df53a1476cf5ddc6c087c0c10bc3a5678c2f
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Alert Router" \
      org.opencontainers.image.description="Delivers the runbook with the alert" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
ENV PATH=/opt/alert-router/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALERT_ROUTER_CONFIG=/etc/alert-router/alert-router.yaml
RUN groupadd --gid 65532 alert-router \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /var/lib/alert-router \
       --shell /usr/sbin/nologin alert-router \
    && install -d -o 65532 -g 65532 -m 0750 /var/lib/alert-router
COPY --from=build /opt/alert-router /opt/alert-router
COPY runbooks /usr/share/alert-router/runbooks
COPY deploy/monitoring/runbooks /usr/share/alert-router/runbooks/alert-router
COPY config/routing.yaml /usr/share/alert-router/routing.yaml
COPY deploy/image/alert-router.yaml /etc/alert-router/alert-router.yaml
USER 65532:65532
WORKDIR /var/lib/alert-router
VOLUME /var/lib/alert-router
EXPOSE 9095
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["alert-router", "health"]
ENTRYPOINT ["alert-router"]
CMD ["serve"]
