CREATE TABLE campaigns (
    id SERIAL NOT NULL,
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    seed BIGINT NOT NULL,
    objective TEXT NOT NULL,
    plan TEXT NOT NULL,
    config JSON NOT NULL,
    versions JSON NOT NULL,
    machine JSON NOT NULL,
    git_commit TEXT,
    status VARCHAR(16) NOT NULL,
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITHOUT TIME ZONE,
    CONSTRAINT pk_campaigns PRIMARY KEY (id),
    CONSTRAINT uq_campaigns_name UNIQUE (name)
);
CREATE TABLE programs (
    id VARCHAR(64) NOT NULL,
    tree_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    source BYTEA NOT NULL,
    CONSTRAINT pk_programs PRIMARY KEY (id)
);
CREATE TABLE candidates (
    campaign_id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    program_id VARCHAR(64),
    operator TEXT NOT NULL,
    note TEXT NOT NULL,
    island INTEGER NOT NULL,
    outcome TEXT,
    message TEXT NOT NULL,
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    told_at TIMESTAMP WITHOUT TIME ZONE,
    CONSTRAINT pk_candidates PRIMARY KEY (campaign_id, ordinal),
    CONSTRAINT fk_candidates_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_candidates_program_id_programs FOREIGN KEY(program_id) REFERENCES programs (id)
);
CREATE INDEX ix_candidates_program_id ON candidates (program_id);
CREATE TABLE parents (
    campaign_id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    position INTEGER NOT NULL,
    program_id VARCHAR(64) NOT NULL,
    CONSTRAINT pk_parents PRIMARY KEY (campaign_id, ordinal, position),
    CONSTRAINT fk_parents_campaign_id_ordinal_candidates FOREIGN KEY(campaign_id, ordinal) REFERENCES candidates (campaign_id, ordinal),
    CONSTRAINT fk_parents_program_id_programs FOREIGN KEY(program_id) REFERENCES programs (id)
);
CREATE INDEX ix_parents_program_id ON parents (program_id);
CREATE TABLE evaluations (
    id SERIAL NOT NULL,
    campaign_id INTEGER NOT NULL,
    ordinal INTEGER,
    program_id VARCHAR(64) NOT NULL,
    plan TEXT NOT NULL,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL,
    isolation TEXT NOT NULL,
    cpu_s DOUBLE PRECISION NOT NULL,
    wall_s DOUBLE PRECISION NOT NULL,
    log BYTEA NOT NULL,
    finished_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_evaluations PRIMARY KEY (id),
    CONSTRAINT fk_evaluations_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_evaluations_campaign_id_ordinal_candidates FOREIGN KEY(campaign_id, ordinal) REFERENCES candidates (campaign_id, ordinal),
    CONSTRAINT fk_evaluations_program_id_programs FOREIGN KEY(program_id) REFERENCES programs (id),
    CONSTRAINT uq_evaluations_campaign_id_ordinal_plan UNIQUE (campaign_id, ordinal, plan)
);
CREATE INDEX ix_evaluations_program_id ON evaluations (program_id);
CREATE UNIQUE INDEX ix_evaluations_baselines ON evaluations (campaign_id, program_id, plan) WHERE ordinal IS NULL;
CREATE TABLE scores (
    evaluation_id INTEGER NOT NULL,
    objective TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_scores PRIMARY KEY (evaluation_id, objective),
    CONSTRAINT fk_scores_evaluation_id_evaluations FOREIGN KEY(evaluation_id) REFERENCES evaluations (id)
);
CREATE TABLE instances (
    id SERIAL NOT NULL,
    instance TEXT NOT NULL,
    game TEXT NOT NULL,
    variant TEXT NOT NULL,
    iterations BIGINT NOT NULL,
    game_string TEXT NOT NULL,
    uniform DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_instances PRIMARY KEY (id),
    CONSTRAINT uq_instances UNIQUE (instance, game, variant, iterations, game_string, uniform)
);
CREATE TABLE curves (
    evaluation_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    instance_id INTEGER NOT NULL,
    points BYTEA NOT NULL,
    cpu_s DOUBLE PRECISION NOT NULL,
    wall_s DOUBLE PRECISION NOT NULL,
    candidate_cpu_s DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_curves PRIMARY KEY (evaluation_id, position),
    CONSTRAINT fk_curves_evaluation_id_evaluations FOREIGN KEY(evaluation_id) REFERENCES evaluations (id),
    CONSTRAINT fk_curves_instance_id_instances FOREIGN KEY(instance_id) REFERENCES instances (id)
);
CREATE TABLE promotions (
    id SERIAL NOT NULL,
    campaign_id INTEGER NOT NULL,
    program_id VARCHAR(64) NOT NULL,
    game TEXT NOT NULL,
    iterations BIGINT NOT NULL,
    exploitability DOUBLE PRECISION,
    purpose TEXT NOT NULL,
    looked_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_promotions PRIMARY KEY (id),
    CONSTRAINT fk_promotions_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_promotions_program_id_programs FOREIGN KEY(program_id) REFERENCES programs (id)
);
CREATE INDEX ix_promotions_campaign_id ON promotions (campaign_id);
CREATE TABLE events (
    id SERIAL NOT NULL,
    campaign_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload JSON NOT NULL,
    happened_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id),
    CONSTRAINT fk_events_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id)
);
CREATE INDEX ix_events_campaign_id ON events (campaign_id);
CREATE TABLE model_texts (
    id VARCHAR(64) NOT NULL,
    text BYTEA NOT NULL,
    CONSTRAINT pk_model_texts PRIMARY KEY (id)
);
CREATE TABLE model_calls (
    id SERIAL NOT NULL,
    campaign_id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state VARCHAR(16) NOT NULL,
    model TEXT NOT NULL,
    request_hash VARCHAR(64) NOT NULL,
    messages JSON NOT NULL,
    answer_id VARCHAR(64),
    stop TEXT NOT NULL,
    answered_by TEXT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    cost_usd DOUBLE PRECISION NOT NULL,
    latency_s DOUBLE PRECISION NOT NULL,
    message TEXT NOT NULL,
    sent_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITHOUT TIME ZONE,
    CONSTRAINT pk_model_calls PRIMARY KEY (id),
    CONSTRAINT fk_model_calls_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_model_calls_answer_id_model_texts FOREIGN KEY(answer_id) REFERENCES model_texts (id)
);
CREATE INDEX ix_model_calls_campaign_id_ordinal_attempt ON model_calls (campaign_id, ordinal, attempt);
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
