#!/bin/sh
# Starts PostgreSQL on a copy of the prepared data folder, with one role that owns one database.
#
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB   all required; the password reaches the server through its stdin only
set -eu

: "${POSTGRES_USER:?set POSTGRES_USER}" "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}" "${POSTGRES_DB:?set POSTGRES_DB}"

newline='
'
for value in "$POSTGRES_USER" "$POSTGRES_PASSWORD" "$POSTGRES_DB"; do
    case $value in
    *"$newline"*) echo "POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB must each be one line" >&2; exit 64 ;;
    esac
done

# SQL quoting: 'it''s' and "a ""name""".
literal() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
identifier() { printf '"%s"' "$(printf %s "$1" | sed 's/"/""/g')"; }

statements() {
    user=$(identifier "$POSTGRES_USER")
    database=$(identifier "$POSTGRES_DB")
    if [ "$POSTGRES_USER" = postgres ]; then
        echo "ALTER ROLE $user PASSWORD $(literal "$POSTGRES_PASSWORD");"
    else
        # May create databases and roles, as test suites do, but is no superuser.
        echo "CREATE ROLE $user LOGIN CREATEDB CREATEROLE PASSWORD $(literal "$POSTGRES_PASSWORD");"
    fi
    if [ "$POSTGRES_DB" = postgres ]; then
        echo "ALTER DATABASE $database OWNER TO $user;"
    else
        echo "CREATE DATABASE $database OWNER $user;"
    fi
}

# A container that is restarted in its pod finds its data again.
if [ ! -d /data/pg ]; then
    rm -rf /data/new
    cp -R /var/lib/template/pg /data/new
    chmod 700 /data/new
    # Errors are reported, but never with the statement, which holds the password. stdout is only the prompt.
    statements | postgres --single -D /data/new -c fsync=off -c log_min_error_statement=panic \
        -c log_min_messages=warning -c exit_on_error=on postgres > /dev/null
    mv /data/new /data/pg
fi
unset POSTGRES_PASSWORD

exec postgres -D /data/pg \
    -c listen_addresses='*' -c port=5432 -c unix_socket_directories=/data -c password_encryption=scram-sha-256 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
    -c min_wal_size=2MB -c max_wal_size=24MB -c checkpoint_warning=0 -c log_checkpoints=off -c autovacuum=off -c jit=off \
    -c shared_buffers=16MB -c max_connections=100 -c dynamic_shared_memory_type=mmap \
    -c log_min_messages=warning -c logging_collector=off
