-- +goose Up
-- The message that a wallet was last asked to sign, for each who asks: a
-- network of browsers, servers, or a user who adds the wallet. Until somebody
-- signs it, the user whom it creates is an id in here and nothing else. A
-- message that adds a wallet works in its session_id only. One that is over
-- stays for a while, so that whoever signs it is told so.
CREATE TABLE wallet_challenges (
    environment_id TEXT_C  NOT NULL,
    wallet         TEXT_C  NOT NULL,
    asker          TEXT_C  NOT NULL,
    user_id        TEXT_C  NOT NULL,
    creates        BOOLEAN NOT NULL,
    wallet_id      TEXT_C  NOT NULL,
    session_id     TEXT_C  NOT NULL,
    message        TEXT    NOT NULL,
    siwe           TEXT    NOT NULL,
    valid_from     BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    PRIMARY KEY (environment_id, wallet, asker)
);
CREATE INDEX wallet_challenges_user ON wallet_challenges (environment_id, user_id);
CREATE INDEX wallet_challenges_expiry ON wallet_challenges (expires_at);

-- The chain on which a wallet that is a contract was first proven. Elsewhere
-- somebody else may have the address.
CREATE TABLE wallet_contracts (
    environment_id TEXT_C NOT NULL,
    wallet_id      TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    chain_id       TEXT   NOT NULL,
    PRIMARY KEY (environment_id, wallet_id)
);
CREATE INDEX wallet_contracts_user ON wallet_contracts (environment_id, user_id);
