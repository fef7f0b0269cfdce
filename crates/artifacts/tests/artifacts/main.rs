//! What this crate promises, seen from outside.

#[cfg(test)]
mod bucket;
#[cfg(test)]
mod bucket_faults;
#[cfg(test)]
mod bucket_sources;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod http_proxy;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod origin_bucket;
#[cfg(test)]
mod origin_faults;
#[cfg(test)]
mod origin_folder;
#[cfg(test)]
mod origin_foreign;
#[cfg(test)]
mod origin_set_back;
#[cfg(test)]
mod origin_stop;
#[cfg(test)]
mod source_uploads;
#[cfg(test)]
mod support;
#[cfg(test)]
mod take_over;
