//! The five tables of servers against clients that Diamond Light Source published
//! for its Python IOC: "Python IOC <==> aioca/p4p Performance Tests", each row
//! averaged over 20 s, CPU read from `top`. No row says whether the updates
//! arrived.

/// One published table: a server against a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedTable {
    /// The name on the command line.
    pub name: &'static str,
    /// The server here that is meant.
    pub server: &'static str,
    /// The approach here that is meant.
    pub approach: &'static str,
    /// Its rows.
    pub rows: &'static [PublishedRow],
}

/// One published row; figures as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedRow {
    /// How many PVs the server held.
    pub served_pvs: usize,
    /// Updates per second of each.
    pub rate_hz: u32,
    /// How many of them were monitored.
    pub pvs: usize,
    /// Monitors on each of those.
    pub monitors: usize,
    /// CPU %, sent kB/s and received kB/s of the server.
    pub server: [&'static str; 3],
    /// The same of the client.
    pub client: [&'static str; 3],
}

impl PublishedRow {
    /// Updates per second that the monitors ask for together.
    pub fn updates_hz(&self) -> f64 {
        (self.pvs * self.monitors) as f64 * f64::from(self.rate_hz)
    }

    /// What the client received, where that is a number.
    fn received_bytes_hz(&self) -> Option<f64> {
        let kilobytes: f64 = self.client[2].parse().ok()?;
        Some(kilobytes * 1e3)
    }
}

/// Rows with fewer updates per second say little of an update's bytes: kB/s were
/// published without digits behind the point.
const LEAST_UPDATES_HZ: f64 = 1_000.0;

/// A client that used more CPU may not have kept up.
const MOST_CPU_PERCENT: f64 = 75.0;

impl PublishedTable {
    /// The least bytes per update by the table's own figures, over the rows whose
    /// client had CPU to spare and several monitors for each PV. With one, each
    /// update travelled in a packet of its own, whose headers were counted too.
    pub fn bytes_per_update(&self) -> Option<f64> {
        self.rows.iter().filter_map(certain_bytes).min_by(f64::total_cmp)
    }

    /// The most of the updates that a row's client can have received, by bytes, as a
    /// part of 1; none where the row has no number.
    pub fn delivered(&self, row: &PublishedRow) -> Option<f64> {
        let received_hz = row.received_bytes_hz()? / self.bytes_per_update()?;
        Some((received_hz / row.updates_hz()).min(1.0))
    }
}

/// Bytes per update of a row whose client kept up.
fn certain_bytes(row: &PublishedRow) -> Option<f64> {
    let cpu: f64 = row.client[0].parse().ok()?;
    let is_certain =
        row.monitors > 1 && row.updates_hz() >= LEAST_UPDATES_HZ && cpu <= MOST_CPU_PERCENT;
    is_certain.then(|| Some(row.received_bytes_hz()? / row.updates_hz())).flatten()
}

/// All five.
pub const TABLES: [PublishedTable; 5] = [
    PublishedTable {
        name: "python-softioc-aioca",
        server: "python-softioc",
        approach: "aioca",
        rows: &PYTHON_SOFTIOC_AIOCA,
    },
    PublishedTable {
        name: "python-softioc-p4p",
        server: "python-softioc",
        approach: "p4p",
        rows: &PYTHON_SOFTIOC_P4P,
    },
    PublishedTable {
        name: "calc-aioca",
        server: "python-softioc-calc",
        approach: "aioca",
        rows: &CALC_AIOCA,
    },
    PublishedTable {
        name: "calc-p4p",
        server: "python-softioc-calc",
        approach: "p4p",
        rows: &CALC_P4P,
    },
    PublishedTable {
        name: "p4p-server-p4p",
        server: "p4p-server",
        approach: "p4p",
        rows: &P4P_SERVER_P4P,
    },
];

/// The table called `name`.
pub fn table(name: &str) -> Option<&'static PublishedTable> {
    TABLES.iter().find(|table| table.name == name)
}

/// A row of a server whose PVs were all monitored; of a load in PVs, Hz, monitors.
const fn row(
    load: (usize, u32, usize),
    server: [&'static str; 3],
    client: [&'static str; 3],
) -> PublishedRow {
    let (pvs, rate_hz, monitors) = load;
    PublishedRow { served_pvs: pvs, rate_hz, pvs, monitors, server, client }
}

/// A row of which only the first PV was monitored.
const fn one_of(
    load: (usize, u32, usize),
    server: [&'static str; 3],
    client: [&'static str; 3],
) -> PublishedRow {
    PublishedRow { pvs: 1, ..row(load, server, client) }
}

const PYTHON_SOFTIOC_AIOCA: [PublishedRow; 8] = [
    row((1, 100, 1000), ["6", "520", "3"], ["120", "2", "528"]),
    row((1, 10, 1000), ["1", "245", "5"], ["61", "3", "245"]),
    row((1000, 10, 1), ["126", "915", "340"], ["71", "330", "915"]),
    row((500, 10, 1), ["60", "460", "335"], ["45", "335", "460"]),
    one_of((100, 100, 100), ["90", "257", "12"], ["58", "23", "280"]),
    row((100, 100, 10), ["95", "516", "12"], ["120", "3", "506"]),
    row((100, 100, 50), ["105", "520", "10"], ["120", "3", "512"]),
    row((100, 100, 70), ["callback queue full", "", ""], ["", "", ""]),
];

const PYTHON_SOFTIOC_P4P: [PublishedRow; 10] = [
    row((1, 100, 1000), ["25", "1150", "5"], ["120", "5", "1150"]),
    row((1, 10, 1000), ["22", "540", "7"], ["63", "4", "540"]),
    row((1000, 10, 1), ["159", "1050", "325"], ["60", "325", "1050"]),
    row((500, 10, 1), ["75", "600", "310"], ["50", "310", "600"]),
    one_of((100, 100, 100), ["112", "552", "16"], ["62", "8", "541"]),
    row((100, 100, 10), ["125", "1155", "15"], ["129", "6", "1127"]),
    row((100, 100, 50), ["125", "1215", "15"], ["132", "5", "1160"]),
    row((100, 100, 70), ["132", "1215", "14"], ["132", "5", "1175"]),
    row((100, 100, 100), ["135", "1200", "15"], ["135", "4", "1155"]),
    row((100, 100, 1000), ["200", "1200", "15"], ["132", "4", "1155"]),
];

const CALC_AIOCA: [PublishedRow; 16] = [
    row((1, 10, 1), ["<1", "1", "1"], ["<1", "1", "1"]),
    row((1, 10, 10), ["<1", "3", "1"], ["1", "1", "3"]),
    row((1, 10, 100), ["<1", "25", "1"], ["9", "1", "25"]),
    row((1, 10, 1000), ["1", "245", "3"], ["60", "1", "244"]),
    row((10, 10, 1), ["<1", "3", "1"], ["1", "1", "3"]),
    row((10, 10, 10), ["<1", "26", "2"], ["8", "2", "26"]),
    row((10, 10, 100), ["4", "250", "5"], ["58", "6", "248"]),
    row((10, 10, 1000), ["3", "455", "2"], ["120", "2", "450"]),
    row((100, 10, 1), ["<1", "25", "2"], ["8", "2", "25"]),
    row((100, 10, 10), ["5", "250", "8"], ["57", "6", "250"]),
    row((100, 10, 100), ["4", "500", "3"], ["120", "2", "500"]),
    row((100, 10, 1000), ["30", "1700", "120"], ["140", "120", "1700"]),
    row((1000, 10, 1), ["7", "260", "11"], ["60", "10", "256"]),
    row((1000, 10, 10), ["11", "550", "2"], ["120", "2", "550"]),
    row((1000, 10, 100), ["20", "1700", "130"], ["132", "170", "1700"]),
    row((1000, 10, 1000), ["130", "1750", "70"], ["140", "80", "1750"]),
];

const CALC_P4P: [PublishedRow; 16] = [
    row((1, 10, 1), ["<1", "1", "1"], ["<1", "1", "1"]),
    row((1, 10, 10), ["<1", "5", "1"], ["<1", "1", "5"]),
    row((1, 10, 100), ["3", "55", "1"], ["10", "1", "55"]),
    row((1, 10, 1000), ["22", "540", "4"], ["62", "2", "540"]),
    row((10, 10, 1), ["<1", "5", "1"], ["1", "1", "5"]),
    row((10, 10, 10), ["1", "55", "1"], ["10", "1", "55"]),
    row((10, 10, 100), ["14", "542", "2"], ["61", "2", "542"]),
    row((10, 10, 1000), ["10", "1195", "7"], ["131", "6", "1190"]),
    row((100, 10, 1), ["1", "60", "2"], ["10", "2", "60"]),
    row((100, 10, 10), ["15", "545", "5"], ["60", "5", "543"]),
    row((100, 10, 100), ["11", "1200", "6"], ["130", "6", "1200"]),
    row((100, 10, 1000), ["28", "1200", "10"], ["130", "10", "1200"]),
    row((1000, 10, 1), ["16", "555", "5"], ["62", "3", "557"]),
    row((1000, 10, 10), ["15", "1200", "5"], ["132", "5", "1200"]),
    row((1000, 10, 100), ["32", "1200", "5"], ["132", "5", "1200"]),
    row((1000, 10, 1000), ["118", "4000", "15"], ["128", "15", "4000"]),
];

const P4P_SERVER_P4P: [PublishedRow; 15] = [
    row((1, 10, 1), ["<1", "<1", "<1"], ["<1", "<1", "<1"]),
    row((1, 10, 10), ["<1", "1", "2"], ["1", "1", "2"]),
    row((1, 10, 100), ["<1", "22", "1"], ["10", "1", "21"]),
    row((1, 10, 1000), ["2", "199", "2"], ["60", "2", "198"]),
    row((10, 10, 1), ["1", "3", "1"], ["2", "1", "3"]),
    row((10, 10, 10), ["1", "22", "1"], ["10", "2", "21"]),
    row((10, 10, 100), ["3", "200", "2"], ["60", "2", "198"]),
    row((10, 10, 1000), ["9", "460", "10"], ["122", "10", "480"]),
    row((100, 10, 1), ["5", "22", "3"], ["6", "4", "23"]),
    row((100, 10, 10), ["5", "200", "5"], ["58", "3", "200"]),
    row((100, 10, 100), ["30", "400", "3"], ["126", "2", "400"]),
    row((100, 10, 1000), ["100", "400", "3"], ["128", "3", "405"]),
    row((1000, 10, 1), ["45", "205", "10"], ["60", "8", "202"]),
    row((1000, 10, 10), ["55, then 25", "", ""], ["126", "2", "400"]),
    row((1000, 10, 100), ["105, errors", "", ""], ["128", "unstable", "unstable"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_took_little_more_than_the_bytes_of_its_protocol() {
        let bytes = TABLES.map(|table| table.bytes_per_update().unwrap().round());
        // A plain double takes 24 bytes over Channel Access.
        assert_eq!(bytes, [25.0, 54.0, 24.0, 54.0, 20.0]);
    }

    #[test]
    fn the_saturated_rows_delivered_between_a_fifth_and_less_than_a_hundredth() {
        let delivered = |name: &str, load: (usize, u32, usize)| {
            let table = table(name).unwrap();
            let is_load = |row: &&PublishedRow| (row.pvs, row.rate_hz, row.monitors) == load;
            let row = table.rows.iter().find(is_load).unwrap();
            table.delivered(row).map(|part| (part * 1e3).round() / 1e3)
        };
        assert_eq!(delivered("calc-aioca", (10, 10, 1000)), Some(0.184));
        assert_eq!(delivered("calc-aioca", (1000, 10, 1000)), Some(0.007));
        assert_eq!(delivered("calc-aioca", (100, 10, 100)), Some(0.205));
        assert_eq!(delivered("p4p-server-p4p", (1000, 10, 1)), Some(1.0));
        assert_eq!(delivered("p4p-server-p4p", (1000, 10, 100)), None);
    }

    #[test]
    fn every_row_has_a_load_of_its_own() {
        for table in TABLES {
            for (number, row) in table.rows.iter().enumerate() {
                let same = |other: &PublishedRow| {
                    (other.served_pvs, other.pvs, other.rate_hz, other.monitors)
                        == (row.served_pvs, row.pvs, row.rate_hz, row.monitors)
                };
                let twice = table.rows[number + 1..].iter().any(same);
                assert!(!twice, "{}: {row:?}", table.name);
            }
        }
    }
}
