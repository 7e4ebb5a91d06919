# buildlogs in a container. Kept simple, and not built by the tests: there is no Docker where they run.
FROM python:3.11-slim-bookworm

RUN useradd --system --uid 10001 --home-dir /opt/buildlogs buildlogs && install -d -o buildlogs -g buildlogs -m 0750 /data
WORKDIR /opt/buildlogs
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY manage.py LICENSE ./
COPY buildlogs buildlogs
COPY logviewer logviewer
COPY templates templates
COPY static static
RUN BUILDLOGS_DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 && rm -r /tmp/build

ENV BUILDLOGS_DATA_DIR=/data PYTHONUNBUFFERED=1
USER buildlogs
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s CMD ["python", "-c", "import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/healthz', headers={'Host': 'localhost', 'X-Forwarded-Proto': 'https'}), timeout=5)"]
CMD ["daphne", "-v", "0", "-b", "0.0.0.0", "-p", "8000", "buildlogs.asgi:application"]
