-- The configuration. Every service applies this at its start; it changes nothing that is there.
CREATE TABLE IF NOT EXISTS instruments (
    instrument_token bigint PRIMARY KEY CHECK (instrument_token > 0),
    symbol text NOT NULL
);

CREATE TABLE IF NOT EXISTS strategies (
    broker text NOT NULL CHECK (broker IN ('paper', 'zerodha')),
    strategy_id text NOT NULL CHECK (strategy_id ~ '^[A-Za-z0-9._-]{1,64}$'),
    kind text NOT NULL CHECK (kind IN ('momentum', 'mean_reversion')),
    instrument_tokens bigint[] NOT NULL,
    threshold numeric NOT NULL CHECK (threshold > 0 AND threshold < 1),
    quantity integer NOT NULL CHECK (quantity > 0),
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (broker, strategy_id)
);

-- The row of strategy '*' is for all that have none of their own.
CREATE TABLE IF NOT EXISTS risk_limits (
    broker text NOT NULL CHECK (broker IN ('paper', 'zerodha')),
    strategy_id text NOT NULL,
    max_order_quantity integer NOT NULL CHECK (max_order_quantity >= 0),
    max_order_value numeric NOT NULL CHECK (max_order_value >= 0),
    max_position integer NOT NULL CHECK (max_position >= 0),
    PRIMARY KEY (broker, strategy_id)
);
INSERT INTO risk_limits VALUES ('paper', '*', 1000, 1000000, 5000), ('zerodha', '*', 100, 100000, 500)
ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION alpha_panda_changed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('alpha_panda_configuration', ''); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON instruments
    FOR EACH STATEMENT EXECUTE FUNCTION alpha_panda_changed();
CREATE OR REPLACE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON strategies
    FOR EACH STATEMENT EXECUTE FUNCTION alpha_panda_changed();
CREATE OR REPLACE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON risk_limits
    FOR EACH STATEMENT EXECUTE FUNCTION alpha_panda_changed();
