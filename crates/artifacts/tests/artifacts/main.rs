//! What this crate promises, seen from outside.

#[cfg(test)]
mod kill;
#[cfg(test)]
mod take_over;

#[cfg(test)]
mod support;
