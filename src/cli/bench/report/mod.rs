//! What a run found, and how it is shown: as text, as JSON, as a page. Pure.

mod axis;
mod cells;
mod chart;
mod html;
mod model;
mod plots;
mod tables;
mod text;

pub(super) use self::cells::{Counted, Round, cell};
pub(super) use self::html::page;
pub(super) use self::model::{Cell, ClusterFacts, PlanFacts, Report, SliceFacts, TargetFacts};
pub(super) use self::text::table;
