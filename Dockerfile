# Two stages: the toolchain builds, and what is shipped holds the program and nothing to build with.
FROM rust:1-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY src src
RUN cargo build --release --locked --bin tidegate

FROM debian:bookworm-slim
COPY --from=build /build/target/release/tidegate /usr/local/bin/tidegate
# No rights beyond opening sockets: nothing is written anywhere.
USER 65534:65534
EXPOSE 3307
ENTRYPOINT ["tidegate"]
CMD ["serve", "--config", "/etc/tidegate.toml"]
