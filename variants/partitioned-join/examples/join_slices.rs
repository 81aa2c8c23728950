//! Joins two slices, one with a bitmap of its NULLs, without any page.

use join_core::input::{KeyColumn, KeySlice};
use join_core::join::{Context, JoinInput, Side};
use join_core::kind::{Kind, Semantics};
use join_core::memory::Memory;
use join_core::output::{Consumer, PairPlacement, Results};
use join_core::parallel::{Team, ThreadStart};
use join_core::unchained::DefaultScheme;
use partitioned_join::{PartitionedJoin, Settings};

fn main() {
    let (customers, orders) = ([17, 4, 99, 8], [4, 4, 0, 99, 5]);
    // The third order has no customer.
    let has_customer = [0b1_1011];
    let build = KeySlice::new(&customers);
    let probe = KeySlice::with_nulls(&orders, &has_customer, 0).expect("a bit for each order");
    let column = |slice| KeyColumn::of_slices(vec![slice]).expect("fewer than 2^32 rows");
    let input = JoinInput::Int32(column(build), column(probe));
    let (team, memory) = (Team::new(2, ThreadStart::Pool), Memory::unlimited());
    let pairs = Consumer::Pairs(PairPlacement::Serial);
    let context = Context::new(&team, &memory).with_consumer(pairs);
    let all_orders = Semantics::from(Kind::Outer(Side::Probe));
    let join = PartitionedJoin::<DefaultScheme>::new(Settings::default());
    let outcome = all_orders.join(&join, &input, &context);
    let Results::Pairs(pairs) = outcome.expect("enough memory").results else {
        unreachable!("pairs were wanted");
    };
    for pair in pairs.iter() {
        match customers.get(pair.build as usize) {
            Some(customer) => println!("order {} of customer {customer}", pair.probe),
            None => println!("order {} of nobody", pair.probe),
        }
    }
}
