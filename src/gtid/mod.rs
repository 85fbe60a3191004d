//! GTID sets, and the two roles they play: [`Token`] (what a scope must see) and [`Watermark`]
//! (what a backend has executed). Pure.
