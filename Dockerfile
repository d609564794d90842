# syntax=docker/dockerfile:1
# Two stages: the wheel and its dependencies are built with pip, the image that runs has neither
# pip's cache nor a compiler, and no user but its own.
FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
WORKDIR /src
RUN python -m venv /opt/alert-router
COPY requirements.txt ./
RUN /opt/alert-router/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md ./
COPY src ./src
RUN /opt/alert-router/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
LABEL org.opencontainers.image.title="Alert Router" \
      org.opencontainers.image.description="Delivers the runbook with the alert"
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
COPY deploy/image/alert-router.yaml /etc/alert-router/alert-router.yaml
COPY config/routing.yaml /etc/alert-router/routing.yaml
USER 65532:65532
WORKDIR /var/lib/alert-router
VOLUME /var/lib/alert-router
EXPOSE 9095
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 9095, timeout=2); c.request('GET', '/-/healthy'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["alert-router"]
CMD ["serve"]
