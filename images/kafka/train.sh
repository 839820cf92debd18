#!/bin/sh
# Run once at build: formats the log folder and records an AOT cache of a broker that has served clients.
set -eu

# Warnings and errors only, whichever logger the jars come with.
#
# The cache is mapped where it was recorded: moving it would touch all of its 60 MB at every start.
#
# An explicit class path in a fixed order: the cache is refused when it differs between training and use.
LC_ALL=C
export LC_ALL
class_path=$(printf '%s:' /opt/kafka/libs/*.jar)
cat > /opt/kafka/java.args <<ARGS
-Xms64m
-Xmx128m
-XX:+UseSerialGC
-XX:TieredStopAtLevel=1
-XX:ReservedCodeCacheSize=48m
-XX:-UsePerfData
-XX:+UnlockDiagnosticVMOptions
-XX:ArchiveRelocationMode=0
-Xlog:disable
-Xlog:all=error:stderr
-Djava.awt.headless=true
-Djava.io.tmpdir=/data/tmp
--enable-native-access=ALL-UNNAMED
--sun-misc-unsafe-memory-access=allow
-Dorg.slf4j.simpleLogger.defaultLogLevel=warn
-Dorg.slf4j.simpleLogger.showDateTime=true
-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS
-Dlog4j2.StatusLogger.level=OFF
-Dlog4j2.configurationFile=/opt/kafka/log4j2.properties
-cp ${class_path%:}
ARGS

mkdir -p /data/tmp
kafka() { java @/opt/kafka/java.args "$@"; }

kafka kafka.tools.StorageTool format --config /opt/kafka/server.properties --cluster-id "$(kafka kafka.tools.StorageTool random-uuid)"
cp -R /data/log /opt/kafka/formatted

java @/opt/kafka/java.args -XX:AOTCacheOutput=/opt/kafka/kafka.aot kafka.Kafka /opt/kafka/server.properties \
    --override advertised.listeners=PLAINTEXT://127.0.0.1:9092 \
    --override auto.create.topics.enable=true &
broker=$!
server="--bootstrap-server 127.0.0.1:9092"
# The clients wait for the broker themselves.
kafka org.apache.kafka.tools.TopicCommand $server --create --topic training --partitions 3
seq 200 | kafka org.apache.kafka.tools.ConsoleProducer $server --topic training
kafka org.apache.kafka.tools.consumer.ConsoleConsumer $server --topic training --group training --from-beginning \
    --max-messages 200 --timeout-ms 30000 > /dev/null
kill "$broker"
wait "$broker" || [ $? -eq 143 ]
rm -rf /data/log /data/tmp

# A cache that cannot be used must fail the build, not cost a second at every start.
kafka -XX:AOTCache=/opt/kafka/kafka.aot -XX:AOTMode=on kafka.tools.StorageTool random-uuid > /dev/null
