//! The Gregorian calendar.

/// A day: the days since 1970-01-01, as DATE columns have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i32);

/// Days from 0000-03-01 to 1970-01-01.
const BEFORE_1970: i32 = 719_468;
/// Days in 400 years.
const CYCLE: i32 = 146_097;

impl Day {
    /// The day of a year, a month and a day of the month.
    pub const fn of(year: i32, month: i32, day: i32) -> Day {
        // The year begins in March, so that the leap day is its last.
        let (year, month) = match month {
            ..=2 => (year - 1, month + 9),
            _ => (year, month - 3),
        };
        let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        Day(days + (153 * month + 2) / 5 + day - 1 - BEFORE_1970)
    }

    /// The first day of the month `months` after this one.
    pub const fn month_after(year: i32, month: i32, months: i32) -> Day {
        let month = month - 1 + months;
        Day::of(year + month.div_euclid(12), month.rem_euclid(12) + 1, 1)
    }

    /// Its year, month and day of the month.
    pub const fn calendar(self) -> (i32, i32, i32) {
        let days = self.0 + BEFORE_1970;
        let (cycle, days) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
        // The leap day of every 4 years, not of every 100, but of all 400, is taken out.
        let year = (days - days / 1460 + days / 36_524 - days / (CYCLE - 1)) / 365;
        let of_year = days - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let of_month = of_year - (153 * month + 2) / 5 + 1;
        let year = 400 * cycle + year;
        match month {
            10.. => (year + 1, month - 9, of_month),
            _ => (year, month + 3, of_month),
        }
    }

    /// The number yyyymmdd.
    pub const fn yyyymmdd(self) -> i32 {
        let (year, month, day) = self.calendar();
        year * 10_000 + month * 100 + day
    }

    /// 1 on a Sunday to 7 on a Saturday.
    pub const fn weekday(self) -> i32 {
        // 1970-01-01 was a Thursday.
        (self.0 + 4).rem_euclid(7) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tpchgen::dates::{MIN_GENERATE_DATE, TOTAL_DATE_RANGE, TPCHDate};

    #[test]
    fn days_are_those_of_the_generator() {
        for number in 0..TOTAL_DATE_RANGE {
            let date = TPCHDate::new(MIN_GENERATE_DATE + number);
            // It counts years from 1900.
            let (year, month, of_month) = date.to_ymd();
            let day = Day(date.to_unix_epoch());
            assert_eq!(day.calendar(), (1900 + year, month, of_month));
            assert_eq!(Day::of(1900 + year, month, of_month), day);
        }
    }

    #[test]
    fn days_follow_one_another() {
        assert_eq!(Day::of(1970, 1, 1), Day(0));
        assert_eq!(Day::month_after(1994, 11, 3), Day::of(1995, 2, 1));
        assert_eq!(Day(0).weekday(), 5);
        let (mut before, last) = (Day::of(1599, 12, 31), Day::of(2401, 3, 1));
        assert_eq!(before.yyyymmdd(), 15_991_231);
        while before < last {
            let day = Day(before.0 + 1);
            let (year, month, of_month) = day.calendar();
            assert_eq!(Day::of(year, month, of_month), day);
            let next = match of_month {
                1 => (day.yyyymmdd() / 100, before.calendar().1 % 12 + 1),
                _ => (before.yyyymmdd() / 100, before.calendar().1),
            };
            assert_eq!((day.yyyymmdd() / 100, month), next);
            assert_eq!(day.weekday(), before.weekday() % 7 + 1);
            before = day;
        }
    }
}
