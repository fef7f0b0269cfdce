//! The broker over a real RabbitMQ. Starting one takes seconds, so cases share it, each in a virtual host of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod connections;
mod faults;
mod messages;
mod permissions;
mod support;

use reelfarm_queue::broker_conformance;
use reelfarm_test_servers::rabbitmq::RabbitMq;

use crate::support::administrator;

/// Runs cases one after the other, each in the virtual host of its name.
macro_rules! in_turn {
    ($server:ident: $($module:ident::$case:ident,)*) => {
        $(
            let begun = std::time::Instant::now();
            println!("{}", stringify!($case));
            crate::support::in_time($module::$case(&mut $server, stringify!($case))).await;
            println!("  {:.1} s", begun.elapsed().as_secs_f64());
        )*
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_that_every_broker_passes() {
    let names: Vec<&str> = broker_conformance!(names).into();
    let server = RabbitMq::start_with(&names).await.unwrap();
    broker_conformance!(in_turn async |case| administrator(&server, case).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_received_and_allowed() {
    let mut server = RabbitMq::start_with(&[
        "a_worker_may_do_its_work_and_no_more",
        "a_scheduler_may_do_its_work",
        "a_worker_waits_for_the_first_scheduler",
        "a_missing_queue_is_told_and_made_again",
        "what_is_not_understood_goes_to_the_dead_letters_and_nobody_sees_it",
        "a_newer_message_is_left_to_one_other_receiver_and_told",
        "a_purged_queue_loses_messages_and_nothing_else",
        "a_delivery_that_is_held_too_long_goes_to_another",
        "what_was_delivered_comes_again_where_the_acknowledgement_was_lost",
        "a_scheduler_that_asks_no_more_holds_no_events_back",
        "a_broker_that_is_closed_puts_back_what_it_holds",
        "slots_cost_no_connections",
        "tls_is_spoken_to_a_broker_that_is_trusted_alone",
        "a_queue_that_was_declared_in_another_way_is_told",
        "what_is_wrong_with_a_connection_is_told_without_the_password",
    ])
    .await
    .unwrap();
    in_turn!(server:
        permissions::a_worker_may_do_its_work_and_no_more,
        permissions::a_scheduler_may_do_its_work,
        messages::a_worker_waits_for_the_first_scheduler,
        messages::a_missing_queue_is_told_and_made_again,
        messages::what_is_not_understood_goes_to_the_dead_letters_and_nobody_sees_it,
        messages::a_newer_message_is_left_to_one_other_receiver_and_told,
        messages::a_purged_queue_loses_messages_and_nothing_else,
        messages::a_scheduler_that_asks_no_more_holds_no_events_back,
        messages::a_broker_that_is_closed_puts_back_what_it_holds,
        connections::slots_cost_no_connections,
        connections::tls_is_spoken_to_a_broker_that_is_trusted_alone,
        connections::a_queue_that_was_declared_in_another_way_is_told,
        connections::what_is_wrong_with_a_connection_is_told_without_the_password,
        messages::what_was_delivered_comes_again_where_the_acknowledgement_was_lost,
        messages::a_delivery_that_is_held_too_long_goes_to_another,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_confirmed_is_lost_when_the_broker_goes() {
    let mut server = RabbitMq::start_with(&[
        "a_restart_under_load_loses_nothing",
        "a_kill_under_load_loses_nothing",
        "whoever_waits_survives_a_broker_that_is_gone_for_a_while",
    ])
    .await
    .unwrap();
    in_turn!(server:
        faults::a_restart_under_load_loses_nothing,
        faults::a_kill_under_load_loses_nothing,
        faults::whoever_waits_survives_a_broker_that_is_gone_for_a_while,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_link_costs_time_and_nothing_else() {
    let mut server = RabbitMq::start_with(&[
        "a_link_that_is_cut_again_and_again_loses_nothing",
        "a_stalled_link_is_given_up_in_time_and_made_anew",
        "a_slow_link_is_slow",
        "a_broker_that_stands_still_is_given_up_in_time",
        "a_broker_that_is_short_of_memory_is_waited_for",
    ])
    .await
    .unwrap();
    in_turn!(server:
        faults::a_link_that_is_cut_again_and_again_loses_nothing,
        faults::a_stalled_link_is_given_up_in_time_and_made_anew,
        faults::a_slow_link_is_slow,
        faults::a_broker_that_stands_still_is_given_up_in_time,
        faults::a_broker_that_is_short_of_memory_is_waited_for,
    );
}
