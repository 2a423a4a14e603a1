//! Types that are right, wrong and random.

use super::*;

/// A scalar with time stamp, as IOCs describe it.
const SCALAR: &[u8] = b"\x80\x15epics:nt/NTScalar:1.0\x03\x05value\x43\
    \x05alarm\x80\x07alarm_t\x02\x08severity\x22\x07message\x60\
    \x09timeStamp\x80\x06time_t\x03\x10secondsPastEpoch\x23\x0bnanoseconds\x22\x07userTag\x22";

fn read(bytes: &[u8]) -> Result<Structure, Trouble> {
    Types::default().read(&mut Reader::new(bytes, false))
}

fn scalar_structure() -> Structure {
    read(SCALAR).unwrap()
}

/// The fields that are visited, with the bytes that are left.
fn visited(
    structure: &Structure,
    bits: &[u8],
    bytes: &[u8],
) -> Result<(Vec<usize>, usize), Trouble> {
    let mut reader = Reader::new(bytes, false);
    let mut fields = Vec::new();
    structure.visit(Bits(bits), &mut reader, |field, _| {
        fields.push(field);
        Ok(false)
    })?;
    Ok((fields, reader.rest().len()))
}

#[test]
fn fields_are_found_by_their_names() {
    let structure = scalar_structure();
    assert_eq!(structure.find(&["value"]), Some(1));
    assert_eq!(structure.find(&["timeStamp", "secondsPastEpoch"]), Some(6));
    assert_eq!(structure.find(&["timeStamp", "nanoseconds"]), Some(7));
    assert_eq!(structure.find(&["secondsPastEpoch"]), None);
    assert_eq!(structure.find(&["value", "value"]), None);
    assert_eq!(structure.find(&["alarm", "value"]), None);
    assert_eq!((structure.scalar_code(1), structure.scalar_code(2)), (Some(DOUBLE), None));
}

#[test]
fn only_what_the_bits_name_is_there() {
    let structure = scalar_structure();
    let value = 1.5_f64.to_le_bytes();
    assert_eq!(visited(&structure, &[0b10], &value), Ok((vec![1], 0)));
    assert_eq!(visited(&structure, &[], &value), Ok((vec![], 8)));
    // The alarm as a whole, with a message of two bytes.
    let alarm = b"\x01\0\0\0\x02hi";
    assert_eq!(visited(&structure, &[0b100], alarm), Ok((vec![3, 4], 0)));
    // Everything, and bits beyond all fields.
    let all = [&value[..], alarm, &[0; 16]].concat();
    assert_eq!(visited(&structure, &[1, 0xfe], &all), Ok((vec![1, 3, 4, 6, 7, 8], 0)));
    assert_eq!(visited(&structure, &[1], &all[..all.len() - 1]), Err(Trouble::Short));
}

#[test]
fn a_type_is_named_once_and_meant_again() {
    let mut types = Types::default();
    let described = [b"\xfd\x07\x00", SCALAR].concat();
    let first = types.read(&mut Reader::new(&described, false)).unwrap();
    let again = types.read(&mut Reader::new(b"\xfe\x07\x00", false)).unwrap();
    assert_eq!((&first, &again), (&scalar_structure(), &scalar_structure()));
    let unknown = types.read(&mut Reader::new(b"\xfe\x08\x00", false)).unwrap_err();
    let Trouble::Bad(why) = unknown else { panic!("{unknown:?}") };
    assert_eq!(why, "the type 8 was never described, in the description fe 08 00");
    // Within another type, under a name of its own.
    let within = b"\x80\0\x01\x05inner\xfe\x07\x00";
    let outer = types.read(&mut Reader::new(within, false)).unwrap();
    assert_eq!(outer.find(&["inner", "value"]), Some(2));
}

#[test]
fn values_of_every_type_are_left_out() {
    // Union of a double and a text, variants, arrays of each, bounded ones, in this order.
    let description = b"\x80\0\x0a\
        \x01a\x81\0\x02\x01x\x43\x01y\x60\
        \x01b\x82\
        \x01c\x89\x81\0\x01\x01x\x21\
        \x01d\x8a\
        \x01e\x88\x80\0\x01\x01x\x22\
        \x01f\x68\
        \x01g\x83\x05\
        \x01h\x31\x04\
        \x01i\x39\x03\
        \x01j\x78\x02";
    let structure = read(description).unwrap();
    let value = b"\x01\x02hi\
        \x43\0\0\0\0\0\0\0\0\
        \x02\0\x01\x00\x07\x07\
        \x03\0\x01\xff\x01\x21\x07\x07\
        \x02\x01\x01\x01\x01\x01\0\
        \x02\x01a\x02bc\
        \x03abc\
        \x02\x01\x01\x02\x02\
        \x01\x01\x02\x02\x03\x03\
        \x01a\x01b";
    let mut bytes = value.to_vec();
    bytes.push(0xaa);
    assert_eq!(visited(&structure, &[1], &bytes), Ok(((1..11).collect(), 1)));
    for end in 0..value.len() {
        assert_eq!(visited(&structure, &[1], &value[..end]), Err(Trouble::Short), "{end}");
    }
    let wrong_member = visited(&structure, &[0b10], b"\x02");
    assert_eq!(wrong_member, Err(Trouble::Bad("member 2 of a union of 2".to_owned())));
}

#[test]
fn what_no_type_is_described_by_is_shown() {
    for (bytes, words) in [
        (&b"\x99rest"[..], "the type 0x99 is not known, in the description 99 72 65 73 74"),
        (b"\xff", "no type, in the description ff"),
        (b"\x89\x43", "the type 0x43 where 0x81 must be, in the description 89 43"),
    ] {
        assert_eq!(read(bytes), Err(Trouble::Bad(words.to_owned())));
    }
    assert_eq!(read(&SCALAR[..SCALAR.len() - 1]), Err(Trouble::Short));
}

#[test]
fn types_without_end_are_refused() {
    let deep = b"\x80\0\x01\x01a".repeat(100);
    assert!(matches!(read(&deep), Err(Trouble::Bad(_))));
    let mut wide = b"\x80\0\xfe\xff\xff\xff\x7f".to_vec();
    wide.extend(b"\0\x43".repeat(10_000));
    assert!(matches!(read(&wide), Err(Trouble::Bad(_))));
    // A type that names itself over and over must not grow beyond all bounds.
    let mut types = Types::default();
    let mut doubled = Ok(());
    for id in 0..100_u16 {
        let mut bytes = b"\xfd".to_vec();
        bytes.extend(id.to_le_bytes());
        bytes.extend(b"\x80\0\x02\x01a");
        for name in [&b"\x01b"[..], b""] {
            match id {
                0 => bytes.push(0x43),
                id => {
                    bytes.push(0xfe);
                    bytes.extend((id - 1).to_le_bytes());
                }
            }
            bytes.extend(name);
        }
        doubled = types.read(&mut Reader::new(&bytes, false)).map(drop);
        if doubled.is_err() {
            break;
        }
    }
    assert!(matches!(doubled, Err(Trouble::Bad(_))));
}

mod random {
    use proptest::prelude::*;

    use super::{Bits, MOST_FIELDS, MOST_REMEMBERED, Reader, Types};

    /// Bytes of which many are codes of types and small numbers.
    fn likely() -> impl Strategy<Value = Vec<u8>> {
        let code = prop_oneof![
            4 => 0_u8..5,
            3 => prop_oneof![
                Just(0x43_u8), Just(0x60), Just(0x80), Just(0x81), Just(0x82), Just(0x88),
                Just(0x89), Just(0x8a), Just(0xfd), Just(0xfe), Just(0xff), Just(0x39),
            ],
            1 => any::<u8>(),
        ];
        prop::collection::vec(code, 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_it_panic_or_grow(
            description in likely(), bits in any::<[u8; 4]>(), value in likely(), order: bool,
        ) {
            let mut types = Types::default();
            if let Ok(structure) = types.read(&mut Reader::new(&description, order)) {
                prop_assert!(structure.fields.len() <= MOST_FIELDS);
                prop_assert_eq!(structure.fields[0].length, structure.fields.len());
                let mut reader = Reader::new(&value, order);
                let _ = structure.visit(Bits(&bits), &mut reader, |_, _| Ok(false));
            }
            prop_assert!(types.remembered <= MOST_REMEMBERED);
        }
    }
}
