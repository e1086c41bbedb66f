//! Types as pyarrow, DuckDB's Arrow and Arrow's own documents spell them.

use arrow_schema::{DataType, IntervalUnit, TimeUnit};

/// The name of a type as people know it: `string` rather than `Utf8`.
///
/// ```
/// use arrow_schema::{DataType, TimeUnit};
/// use respool::spelled;
///
/// let keys = Box::new(DataType::Int32);
/// let texts = DataType::Dictionary(keys, Box::new(DataType::Utf8));
/// assert_eq!(spelled(&texts), "dictionary<values=string, indices=int32>");
/// let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
/// assert_eq!(spelled(&zoned), "timestamp[us, tz=UTC]");
/// ```
pub fn spelled(data_type: &DataType) -> String {
    use DataType as T;
    let simple = match data_type {
        T::Null => "null",
        T::Boolean => "bool",
        T::Float16 => "halffloat",
        T::Float32 => "float",
        T::Float64 => "double",
        T::Utf8 => "string",
        T::LargeUtf8 => "large_string",
        T::Utf8View => "string_view",
        T::Binary => "binary",
        T::LargeBinary => "large_binary",
        T::BinaryView => "binary_view",
        T::Date32 => "date32[day]",
        T::Date64 => "date64[ms]",
        T::Interval(IntervalUnit::YearMonth) => "month_interval",
        T::Interval(IntervalUnit::DayTime) => "day_time_interval",
        T::Interval(IntervalUnit::MonthDayNano) => "month_day_nano_interval",
        _ => "",
    };
    if !simple.is_empty() {
        return simple.to_owned();
    }
    match data_type {
        T::Time32(unit) => format!("time32[{}]", spelled_unit(*unit)),
        T::Time64(unit) => format!("time64[{}]", spelled_unit(*unit)),
        T::Duration(unit) => format!("duration[{}]", spelled_unit(*unit)),
        T::Timestamp(unit, None) => format!("timestamp[{}]", spelled_unit(*unit)),
        T::Timestamp(unit, Some(zone)) => {
            format!("timestamp[{}, tz={zone}]", spelled_unit(*unit))
        }
        T::FixedSizeBinary(width) => format!("fixed_size_binary[{width}]"),
        T::Decimal32(digits, scale) => format!("decimal32({digits}, {scale})"),
        T::Decimal64(digits, scale) => format!("decimal64({digits}, {scale})"),
        T::Decimal128(digits, scale) => format!("decimal128({digits}, {scale})"),
        T::Decimal256(digits, scale) => format!("decimal256({digits}, {scale})"),
        T::List(field) => format!("list<{}>", spelled(field.data_type())),
        T::LargeList(field) => format!("large_list<{}>", spelled(field.data_type())),
        T::ListView(field) => format!("list_view<{}>", spelled(field.data_type())),
        T::LargeListView(field) => format!("large_list_view<{}>", spelled(field.data_type())),
        T::FixedSizeList(field, size) => {
            format!("fixed_size_list<{}>[{size}]", spelled(field.data_type()))
        }
        T::Struct(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|f| format!("{}: {}", f.name(), spelled(f.data_type())));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        T::Dictionary(keys, values) => format!(
            "dictionary<values={}, indices={}>",
            spelled(values),
            spelled(keys)
        ),
        T::RunEndEncoded(ends, values) => format!(
            "run_end_encoded<run_ends: {}, values: {}>",
            spelled(ends.data_type()),
            spelled(values.data_type())
        ),
        // Integers are spelled alike but for the first letter; maps and unions say what is in them.
        other => other.to_string().to_lowercase(),
    }
}

fn spelled_unit(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}
