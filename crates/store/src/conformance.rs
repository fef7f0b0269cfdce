//! What every form of the store must do, as cases that any [`Store`](crate::Store) can be put through.
//!
//! [`store_conformance!`](crate::store_conformance) makes a test of each case. A case gets an empty store. None waits
//! for time to pass: a lease or a back-off of no length has run out at once, and one of an hour does not run out.
#![allow(clippy::expect_used, clippy::panic)] // these are tests, in a place where other crates can reach them

pub mod access;
pub mod attempts;
pub mod fences;
pub mod fixtures;
pub mod given_up;
pub mod histories;
pub mod holds;
pub mod kept;
pub mod leadership;
mod model;
pub mod needs;
pub mod order;
pub mod outbox;
pub mod plans;
pub mod publications;
pub mod reviews;
pub mod standing;
pub mod submissions;
pub mod titles;

/// Makes a test of every case: `store_conformance!(factory, histories)`, where `factory` is an async function that gives
/// an empty store, and a value that is kept for as long as the store is used, and `histories` is how many random
/// histories are gone through: each asks thousands of questions.
#[macro_export]
macro_rules! store_conformance {
    ($factory:path, $histories:literal) => {
        $crate::store_conformance!(@ $factory:
            submissions::an_unknown_name_becomes_generation_one,
            submissions::the_same_submission_of_a_live_title_changes_nothing,
            submissions::the_same_submission_of_a_title_that_is_withdrawing_starts_a_new_generation,
            submissions::a_different_submission_starts_a_new_generation,
            submissions::a_final_title_is_reopened_without_its_old_conclusions,
            submissions::a_path_that_is_not_text_is_refused,
            submissions::titles_are_listed_in_the_order_of_submission,
            kept::what_the_new_generation_wants_too_goes_on_and_the_rest_is_cancelled,
            kept::a_generation_that_ends_keeps_nothing,
            kept::another_source_keeps_nothing,
            kept::what_acts_on_the_origin_is_stopped_at_once,
            kept::a_kept_attempt_that_is_handed_back_is_not_followed_by_another,
            kept::a_kept_attempt_that_completes_is_done,
            kept::what_two_titles_keep_goes_on_until_both_are_planned,
            publications::leftovers_of_an_earlier_submission_are_remembered,
            publications::what_was_put_online_from_a_path_is_known_for_ever,
            publications::a_publication_that_never_began_is_none,
            reviews::a_title_that_waits_for_a_person_says_since_when,
            reviews::a_title_that_waits_for_a_person_may_be_steered,
            reviews::an_approved_title_is_checked_again,
            reviews::a_rejected_title_is_over,
            reviews::an_approval_of_a_rejected_title_submits_it_anew,
            reviews::a_decision_needs_the_right_generation_and_state,
            reviews::decisions_are_listed_the_latest_first,
            reviews::a_title_that_waits_for_a_person_is_checked_again_where_something_changed,
            standing::a_title_begins_without_promises,
            standing::what_was_accepted_stands_however_it_ended,
            standing::what_was_published_stands_until_something_else_is,
            standing::an_old_generation_changes_nothing_that_stands,
            given_up::a_read_that_is_given_up_at_any_moment_keeps_no_later_one_in_the_past,
            titles::a_change_needs_the_right_generation_and_state,
            titles::forbidden_transitions_are_errors,
            titles::what_a_change_leaves_out_stays,
            titles::a_title_that_gives_up_stops_its_attempts,
            titles::what_another_title_wants_goes_on,
            titles::a_withdrawing_title_keeps_nothing_alive,
            titles::a_withdrawing_title_may_plan_its_withdrawal,
            titles::a_withdrawing_title_that_is_online_is_published_and_its_failure_forgotten,
            order::who_wants_a_ready_task_is_known_with_what_follows_for_each,
            order::a_new_plan_changes_what_is_expected,
            order::what_is_needed_has_the_tail_of_what_needs_it,
            order::ready_tasks_are_found_by_title_by_need_and_by_pages,
            order::what_is_left_of_titles_is_added_up,
            order::what_goes_first_has_a_path_of_its_own,
            order::what_comes_before_the_plan_counts_until_it_is_there,
            order::titles_that_wait_for_tasks_are_settled,
            order::a_route_expedites_no_more_a_day_than_it_may,
            order::an_expedite_lasts_until_the_title_is_online,
            order::an_expedite_is_lost_with_a_cancellation_and_with_another_route,
            order::a_title_arrives_once,
            order::how_long_tasks_took_is_known_afterwards,
            order::a_back_off_is_told,
            order::the_clock_goes_on,
            plans::a_task_is_ready_once_all_it_needs_is_done,
            plans::two_titles_share_a_task,
            plans::planning_again_changes_nothing,
            plans::an_old_generation_cannot_plan,
            plans::a_final_title_cannot_plan,
            plans::an_unknown_need_is_an_error_and_nothing_is_planned,
            plans::a_failed_task_starts_afresh_when_it_is_planned_again,
            plans::a_done_task_is_shared_and_redone_only_if_asked,
            plans::a_redone_task_makes_its_dependents_wait_again,
            plans::a_redone_task_is_wanted_by_all_that_wait_for_it,
            plans::what_a_task_needs_is_wanted_with_it,
            plans::what_a_planned_task_needs_starts_afresh_with_it,
            plans::the_latest_plan_says_where_the_next_attempt_finds_the_source,
            plans::tasks_are_listed_in_the_order_of_planning,
            plans::every_kind_of_structure_survives_the_database,
            needs::a_second_plan_says_anew_what_is_needed,
            needs::a_dropped_need_is_not_revived,
            needs::an_old_encode_does_not_come_back_with_an_unchanged_package,
            needs::a_shared_task_keeps_the_other_titles_needs,
            needs::what_only_a_dropped_need_kept_wanted_is_cancelled,
            needs::a_dropped_need_goes_on_where_it_is_still_needed,
            needs::a_plan_does_not_disturb_an_attempt,
            attempts::an_attempt_runs_from_dispatch_to_done,
            attempts::only_a_ready_task_is_dispatched,
            attempts::a_failed_attempt_waits_for_its_back_off,
            attempts::who_was_stopped_at_the_origin_is_known_for_a_while,
            attempts::artifacts_are_referred_to_until_their_titles_are_over,
            attempts::a_task_that_failed_for_good_stays_failed,
            attempts::a_released_attempt_does_not_count_and_its_number_is_gone,
            attempts::a_start_that_is_heard_after_a_heartbeat_does_not_shorten_the_lease,
            attempts::a_lease_that_ran_out_is_found_and_counted,
            attempts::a_failure_or_a_loss_may_be_uncounted,
            attempts::a_heartbeat_saves_an_attempt_from_being_lost,
            attempts::a_lost_attempt_may_be_the_last,
            attempts::recovery_releases_every_attempt,
            attempts::of_two_records_of_an_artifact_the_first_stays,
            attempts::an_attempt_is_dispatched_for_the_title_that_came_first,
            attempts::who_wants_the_attempts_under_way_is_known,
            attempts::attempts_under_way_are_listed_whole,
            attempts::counts_cover_titles_and_tasks,
            fences::a_stale_attempt_changes_nothing,
            fences::a_wrong_lease_changes_nothing,
            fences::a_released_attempt_changes_nothing,
            fences::an_attempt_from_before_a_recovery_changes_nothing,
            fences::a_cancelled_attempt_changes_nothing,
            fences::a_lost_attempt_changes_nothing,
            fences::a_second_completion_changes_nothing,
            fences::a_second_worker_with_the_same_message_is_refused,
            fences::an_unknown_task_changes_nothing,
            fences::of_many_reports_at_once_one_counts,
            outbox::a_dispatched_message_is_unsent_until_it_is_marked,
            outbox::a_message_goes_with_its_attempt,
            outbox::an_old_attempts_message_is_not_the_new_ones,
            outbox::many_are_dispatched_at_once,
            outbox::reports_on_one_task_keep_their_order,
            outbox::reports_of_every_kind_take_effect_together,
            outbox::what_waits_for_several_is_woken_once,
            outbox::thousands_of_tasks_go_through_at_once,
            holds::a_held_title_is_not_dispatched,
            holds::what_another_title_wants_is_not_held,
            holds::a_hold_ends_with_the_title,
            holds::a_title_is_tried_again_as_it_was_submitted,
            holds::a_task_is_done_again_with_what_depends_on_it,
            holds::a_failed_task_and_one_in_a_back_off_are_tried_at_once,
            holds::a_task_of_a_final_title_is_done_again_once_it_is_planned,
            holds::only_a_titles_own_task_is_tried_again,
            holds::titles_are_listed_by_name_in_pages,
            leadership::one_leads_and_the_others_learn_who,
            leadership::a_term_that_ran_out_is_over,
            leadership::a_renewal_sets_the_end_of_the_lease,
            leadership::a_leader_that_asks_again_gets_a_new_term,
            leadership::the_unfit_make_way_for_the_fit,
            leadership::of_many_who_ask_at_once_one_leads,
            leadership::a_leader_writes,
            leadership::a_leader_whose_term_is_over_changes_nothing,
            access::a_token_is_good_until_it_is_revoked,
            access::a_token_expires,
            access::a_repeated_request_gets_the_same_answer,
            access::a_key_stands_for_one_request,
            access::a_claim_and_an_answer_are_forgotten_in_time,
        );

        #[test]
        fn any_history_agrees_with_the_model() {
            $crate::conformance::histories::check($histories, || $factory());
        }
    };
    (@ $factory:path: $($module:ident::$case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (store, _kept) = $factory().await;
                $crate::conformance::$module::$case(&store).await;
            }
        )*
    };
}
