//! Real servers for tests: PostgreSQL, RabbitMQ, an S3 server, and a TCP proxy that cuts and slows links.
//!
//! Promises: each server is the real program, started by the test on a port and in a folder of its own; it is there
//! when the constructor returns, and it and its folder are gone once the value is dropped, however the test ends.

pub mod postgres;
pub mod proxy;
pub mod rabbitmq;
pub mod s3;
