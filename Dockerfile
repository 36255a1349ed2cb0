# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# The dependencies alone first, under empty sources: this layer is rebuilt only when a manifest changes.
COPY Cargo.toml Cargo.lock ./
COPY entity/Cargo.toml entity/
COPY migration/Cargo.toml migration/
COPY benches benches
RUN mkdir -p src entity/src migration/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs entity/src/lib.rs migration/src/lib.rs \
    && cargo build --release --locked --no-default-features --bin kindred
COPY . .
# Cargo compares times, and the copied sources can be older than the empty ones.
RUN find src entity migration -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --no-default-features --bin kindred

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kindred
COPY --from=build /build/target/release/kindred /usr/local/bin/kindred
USER 10001
ENV HOST=0.0.0.0 \
    PORT=8080 \
    KINDRED_ENV=production \
    LOG_FORMAT=json
EXPOSE 8080
# The image has no HTTP client, so the program checks itself and its database.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["kindred", "doctor"]
CMD ["kindred", "serve"]
