//! Days since 1970-01-01, as DATE columns have them.

use tpchgen::dates::TPCHDate;

/// The number of a day of the Gregorian calendar.
pub(crate) const fn day(year: i32, month: i32, day: i32) -> i32 {
    // The year begins in March, so that the leap day is its last.
    let (year, month) = match month {
        ..=2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The first day of the month `months` after this one.
pub(crate) const fn month_after(year: i32, month: i32, months: i32) -> i32 {
    let month = month - 1 + months;
    day(year + month.div_euclid(12), month.rem_euclid(12) + 1, 1)
}

/// Year, month and day of a date of the generator, which counts years from 1900.
pub(crate) fn calendar(date: TPCHDate) -> (i32, i32, i32) {
    let (year, month, day) = date.to_ymd();
    (1900 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tpchgen::dates::{MIN_GENERATE_DATE, TOTAL_DATE_RANGE};

    #[test]
    fn days_are_those_of_the_generator() {
        assert_eq!(day(1970, 1, 1), 0);
        assert_eq!(calendar(TPCHDate::new(MIN_GENERATE_DATE)), (1992, 1, 1));
        for number in 0..TOTAL_DATE_RANGE {
            let date = TPCHDate::new(MIN_GENERATE_DATE + number);
            let (year, month, of_month) = calendar(date);
            assert_eq!(day(year, month, of_month), date.to_unix_epoch());
        }
        assert_eq!(month_after(1994, 11, 3), day(1995, 2, 1));
    }
}
