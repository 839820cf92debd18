-- Everything that survives the process. Applied at each start.
CREATE SCHEMA IF NOT EXISTS kraken;

CREATE TABLE IF NOT EXISTS kraken.orders (
    id          uuid PRIMARY KEY,             -- cl_ord_id at the exchange
    txid        text UNIQUE,                  -- the exchange's id
    pair        text NOT NULL,
    side        text NOT NULL CHECK (side IN ('buy', 'sell')),
    kind        text NOT NULL,
    price       numeric CHECK (price > 0),
    volume      numeric NOT NULL CHECK (volume > 0),
    leverage    integer NOT NULL,
    mode        text NOT NULL,
    post_only   boolean NOT NULL,
    stop_loss   numeric,
    take_profit numeric,
    parent      uuid REFERENCES kraken.orders (id),
    status      text NOT NULL,
    reason      text,
    deadline    timestamptz,                  -- when the exchange refuses what was sent last
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orders_unsettled ON kraken.orders (status) WHERE status IN ('pending', 'open');
CREATE INDEX IF NOT EXISTS orders_by_day ON kraken.orders (created_at);
CREATE INDEX IF NOT EXISTS orders_by_pair ON kraken.orders (pair);
CREATE INDEX IF NOT EXISTS orders_guarded ON kraken.orders (pair)
    WHERE stop_loss IS NOT NULL OR take_profit IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_by_parent ON kraken.orders (parent) WHERE parent IS NOT NULL;

CREATE TABLE IF NOT EXISTS kraken.trades (
    id       text PRIMARY KEY,                -- the exchange's id: heard of twice, booked once
    order_id uuid NOT NULL REFERENCES kraken.orders (id),
    pair     text NOT NULL,
    side     text NOT NULL,
    price    numeric NOT NULL CHECK (price > 0),
    volume   numeric NOT NULL CHECK (volume > 0),
    cost     numeric NOT NULL,
    fee      numeric NOT NULL CHECK (fee >= 0),
    at       timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_by_order ON kraken.trades (order_id);
CREATE INDEX IF NOT EXISTS trades_by_pair ON kraken.trades (pair, at);

CREATE TABLE IF NOT EXISTS kraken.state (
    name  text PRIMARY KEY,
    value jsonb NOT NULL
);
