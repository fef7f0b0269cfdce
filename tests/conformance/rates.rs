//! How many frames a second a film has, whether they keep their places, and whether pictures or fields are repeated to get
//! there: of each clip its time stamps or its pictures are made so, whatever its headers say.

mod case;
mod clocks;
mod constant;
mod fractional;
mod headers;
mod holds;
mod repeats;
mod telecine;
mod variable;

use case::{Case, judge, moving};
