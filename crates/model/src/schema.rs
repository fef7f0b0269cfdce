//! JSON schemas of the types whose form on the wire is written by hand. All others derive theirs.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::checksum::Checksum;
use crate::code::Code;
use crate::key::Digest;
use crate::task::{TaskKind, TaskSpec};
use crate::title::TitleId;

fn text(pattern: &str, description: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    object.pattern(Some(pattern)).description(Some(description)).into()
}

impl PartialSchema for Digest {
    fn schema() -> RefOr<Schema> {
        text("^[0-9a-f]{64}$", "A SHA-256 digest in hexadecimal.")
    }
}

impl ToSchema for Digest {
    fn name() -> Cow<'static, str> {
        "Digest".into()
    }
}

impl PartialSchema for TitleId {
    fn schema() -> RefOr<Schema> {
        text("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", "A title's name.")
    }
}

impl ToSchema for TitleId {
    fn name() -> Cow<'static, str> {
        "TitleId".into()
    }
}

impl PartialSchema for Checksum {
    fn schema() -> RefOr<Schema> {
        text(
            "^(md5:[0-9A-Fa-f]{32}|sha1:[0-9A-Fa-f]{40}|sha256:[0-9A-Fa-f]{64})$",
            "A checksum: its algorithm and its hexadecimal digits.",
        )
    }
}

impl ToSchema for Checksum {
    fn name() -> Cow<'static, str> {
        "Checksum".into()
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        text("^RF-[A-Z]+-[0-9]{3}$", "An error code, which `reelfarm explain` opens.")
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "Code".into()
    }
}

/// Specifications are for the farm's own parts and change with them: of their members only the kind is promised.
impl PartialSchema for TaskSpec {
    fn schema() -> RefOr<Schema> {
        let any = AdditionalProperties::FreeForm(true);
        let object: Object = ObjectBuilder::new()
            .property("kind", TaskKind::schema())
            .required("kind")
            .additional_properties(Some(any))
            .description(Some("What a task does. Members beside its kind may change with any version."))
            .build();
        object.into()
    }
}

impl ToSchema for TaskSpec {
    fn name() -> Cow<'static, str> {
        "TaskSpec".into()
    }
}
