//! The reelfarm command.
fn main() {}
