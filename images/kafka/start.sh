#!/bin/sh
# Starts the broker on a copy of the log folder that was formatted when the image was built.
#
# KAFKA_ADVERTISED_HOST      the name under which clients reach this broker (port 9092)
# KAFKA_AUTO_CREATE_TOPICS   true (default) or false
set -eu

: "${KAFKA_ADVERTISED_HOST:?set KAFKA_ADVERTISED_HOST to the name under which clients reach this broker}"

# A container that is restarted in its pod finds its data again.
if [ ! -d /data/log ]; then
    mkdir -p /data/tmp
    cp -R /opt/kafka/formatted /data/log.new
    mv /data/log.new /data/log
fi

exec java @/opt/kafka/java.args -XX:AOTCache=/opt/kafka/kafka.aot kafka.Kafka /opt/kafka/server.properties \
    --override "advertised.listeners=PLAINTEXT://${KAFKA_ADVERTISED_HOST}:9092" \
    --override "auto.create.topics.enable=${KAFKA_AUTO_CREATE_TOPICS:-true}"
