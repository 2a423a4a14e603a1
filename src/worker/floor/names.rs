//! The PV names of a job in one piece of memory.

/// PV names by index: the text, and 4 bytes for each name.
#[derive(Debug, Default)]
pub(in crate::worker) struct Names {
    text: String,
    ends: Vec<u32>,
}

impl Names {
    /// How many names there are.
    pub(in crate::worker) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The name of a PV.
    ///
    /// # Panics
    /// When there is no such PV.
    pub(in crate::worker) fn get(&self, pv: u32) -> &str {
        let start = if pv == 0 { 0 } else { self.ends[pv as usize - 1] };
        &self.text[start as usize..self.ends[pv as usize] as usize]
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    /// # Panics
    /// When the names hold 4 GiB or more.
    fn from_iter<I: IntoIterator<Item = S>>(all: I) -> Names {
        let mut names = Names::default();
        for name in all {
            names.text.push_str(name.as_ref());
            names.ends.push(u32::try_from(names.text.len()).expect("names of less than 4 GiB"));
        }
        names.text.shrink_to_fit();
        names.ends.shrink_to_fit();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_by_index() {
        let names: Names = ["a", "", "gauge:2"].into_iter().collect();
        assert_eq!(names.len(), 3);
        assert_eq!([names.get(0), names.get(1), names.get(2)], ["a", "", "gauge:2"]);
    }
}
