DROP TABLE outbox;
DROP TABLE leadership;
