//! The matrix in each format.

mod html;
mod junit;
mod table;

use super::matrix::Matrix;
use crate::named::named;

named! {
    /// A format of the matrix.
    #[derive(Default)]
    pub enum ConformFormat("format") {
        /// Text for a terminal: what did not pass, and a count for each client.
        #[default]
        Text = "text",
        /// The whole matrix as tables.
        Markdown = "markdown",
        /// One file with all that was done, expected and got.
        Html = "html",
        /// Everything as data.
        Json = "json",
        /// For the test reports of CI services.
        Junit = "junit",
    }
}

/// The matrix as text.
///
/// # Errors
/// When JSON cannot be written.
pub fn render(matrix: &Matrix, format: ConformFormat) -> Result<String, serde_json::Error> {
    Ok(match format {
        ConformFormat::Text => table::text(matrix),
        ConformFormat::Markdown => table::markdown(matrix),
        ConformFormat::Html => html::page(matrix),
        ConformFormat::Json => serde_json::to_string_pretty(matrix)? + "\n",
        ConformFormat::Junit => junit::suites(matrix),
    })
}
