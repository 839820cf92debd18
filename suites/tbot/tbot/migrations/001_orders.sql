-- numeric(28, 8): 28 digits, 8 of them behind the point, as tbot/money.py has them.
CREATE TABLE orders (
    order_id        uuid PRIMARY KEY,
    client_order_id text NOT NULL,
    account         text NOT NULL,
    symbol          text NOT NULL,
    side            text NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity        numeric(28, 8) NOT NULL CHECK (quantity > 0),
    price           numeric(28, 8) NOT NULL CHECK (price > 0),
    total           numeric(28, 8) NOT NULL CHECK (total > 0),
    content_hash    text NOT NULL CHECK (content_hash ~ '^[0-9a-f]{64}$'),
    created_at      timestamptz NOT NULL,
    CONSTRAINT total_is_quantity_times_price CHECK (abs(total - quantity * price) <= 0.000000005)
);
CREATE INDEX orders_account ON orders (account, created_at);
CREATE INDEX orders_content ON orders (content_hash);

-- Which order stands for a content, and until when. Whoever inserts the row first has the order; all others repeat it.
CREATE TABLE idempotency_keys (
    content_hash text PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
    expires_at   timestamptz NOT NULL
);

-- Double entry: what an order takes out of an account's available balance it puts into the reserved one.
CREATE TABLE ledger_entries (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    account  text NOT NULL,
    balance  text NOT NULL CHECK (balance IN ('available', 'reserved')),
    asset    text NOT NULL,
    amount   numeric(28, 8) NOT NULL CHECK (amount <> 0)
);
CREATE INDEX ledger_entries_order ON ledger_entries (order_id);
CREATE INDEX ledger_entries_account ON ledger_entries (account, balance, asset);

-- Asked at commit, when all entries of the transaction are there.
CREATE FUNCTION check_balanced() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    difference numeric;
BEGIN
    SELECT sum(amount) INTO difference FROM ledger_entries WHERE order_id = NEW.order_id AND asset = NEW.asset;
    IF difference <> 0 THEN
        RAISE EXCEPTION 'the ledger entries of order % differ by % %', NEW.order_id, difference, NEW.asset
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_is_balanced AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_balanced();

-- What was accepted and booked is never changed: a correction is another entry.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER orders_are_append_only BEFORE UPDATE OR DELETE ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
