//! One story, told to both real databases, each time to a fresh one with two replicas.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails by panicking, like the test"
)]

// By the name under which every other crate knows it.
extern crate claviger_store as store;

mod applications;
mod attempts;
mod audit;
mod authorizations;
mod behind;
mod cache;
mod connections;
mod credentials;
mod damage;
mod drills;
mod families;
mod families_at_once;
mod grants;
mod health;
mod issued;
mod keys;
mod limits;
mod limits_model;
mod mails;
mod onboardings;
mod opening;
mod portal;
mod postgres_server;
mod redis_server;
mod refreshes;
mod revocations;
mod rows;
mod sign_ins;
mod signing_keys;
mod sqlite_file;
mod stripe;
mod traffic;
mod upgrade;
mod users;
mod world;

/// Tells each chapter to SQLite and to PostgreSQL.
macro_rules! told {
    ($($module:ident: $($chapter:ident),* $(,)?;)*) => {
        mod sqlite {$($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $chapter() {
                let world = crate::world::World::sqlite().await;
                crate::$module::$chapter(&world).await;
                world.end().await;
            }
        )*)*}

        mod postgres {$($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $chapter() {
                if let Some(world) = crate::world::World::postgres().await {
                    crate::$module::$chapter(&world).await;
                    world.end().await;
                }
            }
        )*)*}
    };
}

told! {
    rows: a_subject_comes_to_be_and_keeps_its_beginning, an_introduction_tells_name_and_address_alone, an_integration_belongs_to_one_owner,
        an_api_key_works_until_it_is_revoked, the_first_data_key_wins, a_nul_character_is_refused_by_name,
        quotes_control_characters_and_sql_survive;
    attempts: an_attempt_knows_its_members, a_question_is_answered_once_and_its_consent_is_nobodys_until_then,
        a_state_works_once, an_attempt_reads_back_as_it_was_written, a_ticket_starts_one_attempt_once,
        of_twelve_callbacks_on_two_replicas_one_gets_the_attempt, an_expired_attempt_is_found_but_not_consumed,
        the_sweep_takes_the_oldest_and_no_more;
    credentials: new_tokens_need_the_generation_that_was_seen, a_refresh_without_refresh_token_keeps_the_old_one,
        a_dead_grant_breaks_the_connection_until_new_tokens_come, of_many_refreshes_at_once_one_is_kept,
        a_part_is_written_once_read_by_its_name_and_goes_with_its_consent;
    connections: an_overview_counts_every_connection_once_by_subject, a_connection_lives_through_disconnect_and_reconnect, two_replicas_that_connect_make_one_row,
        a_group_shares_one_credential_until_the_last_leaves, two_members_that_leave_at_once_leave_no_tokens_behind,
        a_connection_moves_to_another_consent_only_from_the_one_it_stands_on, an_accounts_connections_are_found,
        metadata_is_merged_and_knows_its_generation, metadata_and_refreshes_lose_nothing_to_each_other,
        a_list_goes_page_by_page_through_its_filters;
    audit: two_writers_keep_two_chains_that_hold, a_chain_begins_with_what_it_found,
        a_changed_a_missing_and_a_cut_off_entry_are_named, a_chain_goes_on_after_a_restart,
        an_end_that_is_removed_while_its_writer_lives_is_missed, an_entry_that_is_dated_anew_is_named,
        an_entry_that_is_filed_under_another_is_named,
        a_chain_is_listed_once_however_often_others_begin,
        the_trail_is_read_backwards_page_by_page_by_whom_it_is_about,
        the_trail_is_followed_from_a_position_until_an_instant;
    cache: a_change_on_one_replica_is_seen_on_the_other, a_revoked_key_stops_on_both_replicas,
        a_write_to_one_connection_leaves_the_others_in_memory, nobody_reads_what_was_already_replaced,
        without_a_cache_every_read_is_fresh, a_caller_that_goes_away_leaves_no_stale_token,
        a_foreign_change_is_not_covered_up_by_a_write_of_our_own;
    refreshes: a_commit_is_seen_in_the_standing_of_the_other_replica,
        what_standings_do_not_show_leaves_them_in_memory, metadata_that_is_written_during_a_claim_stays,
        leases_are_timed_by_the_clock_of_the_database, rows_of_the_schema_before_get_their_due_time;
    drills: a_drill_leaves_the_credential_as_it_was, a_standing_shows_a_played_death_and_its_end_on_both_replicas,
        a_drill_begins_only_where_nothing_is_under_way, of_many_drills_and_claims_at_once_one_wins,
        an_abandoned_drill_is_ended_by_anybody_once_its_lease_is_over, whoever_wakes_up_does_not_end_a_later_drill,
        what_a_replica_of_before_marks_during_a_drill_is_undone,
        new_tokens_end_a_drill_and_keep_what_it_set_aside,
        a_disconnect_during_a_drill_gives_back_the_token_that_was_set_aside,
        a_reconnect_during_a_drill_leaves_nothing_of_it, a_call_after_a_drill_is_like_any_other;
    revocations: a_disconnect_turns_the_tokens_into_a_revocation, the_last_member_of_a_group_makes_the_revocation,
        a_plan_for_another_credential_changes_nothing, each_due_revocation_goes_to_one_of_two_replicas,
        only_the_attempt_under_way_ends_a_revocation, a_grant_may_be_shared_with_the_same_account_and_with_one_that_nobody_knows;
    portal: a_portal_session_reads_back_as_it_was_written, a_link_that_was_not_mailed_opens_once,
        a_link_works_until_the_instant_of_its_end, a_mailed_link_opens_again_and_again_until_its_session_is_over,
        a_session_ends_in_one_way, a_browser_uses_the_page_until_its_end_or_the_sessions,
        portal_sessions_are_listed_page_by_page, the_sweep_takes_the_sessions_that_ended_first_with_all_that_is_theirs;
    mails: the_cap_counts_what_one_subject_asked_for_within_the_hour, of_many_mails_at_once_the_cap_lets_through_so_many, a_renewed_session_has_another_link_and_another_mail,
        what_is_over_or_was_never_mailed_is_not_renewed, of_many_renewals_at_once_the_cap_lets_through_so_many,
        each_due_mail_goes_to_one_of_two_replicas, only_the_attempt_under_way_ends_a_mail,
        a_session_that_is_taken_back_is_not_mailed,
        deeds_on_one_session_and_its_mail_at_once_do_not_stand_in_each_others_way;
    stripe: an_account_and_an_attempt_read_back_as_they_were_written, all_who_reserve_make_the_same_account,
        another_nonce_needs_the_one_that_was_seen_and_no_account, an_account_that_was_made_is_one_subjects,
        of_two_subjects_that_claim_one_account_at_once_one_gets_it,
        an_operator_replaces_an_expectation_but_never_a_link, an_older_answer_is_not_learnt,
        an_account_takes_our_access_away_once, an_event_is_remembered, the_sweep_takes_what_ended_first_and_no_more;
    onboardings: of_ten_callbacks_on_two_replicas_one_links_the_account,
        an_attempt_that_leads_nowhere_links_nothing_and_is_not_used_up,
        a_later_onboarding_keeps_when_and_by_whom_it_was_linked_first,
        an_onboarding_is_used_up_once,
        an_unlinked_account_takes_its_onboardings_with_it,
        deeds_on_one_account_at_once_do_not_stand_in_each_others_way;
    authorizations: an_authorization_reads_back_as_it_was_written,
        a_pushed_request_is_taken_once_by_its_application_until_its_end,
        whoever_signs_in_takes_the_place_of_whoever_did_before, what_a_login_back_end_keeps_is_taken_once,
        an_authorization_is_decided_once, nothing_changes_once_an_authorization_is_decided_or_at_its_end,
        the_sweep_takes_the_requests_that_ended_first,
        deeds_on_one_authorization_at_once_do_not_stand_in_each_others_way,
        a_damaged_authorization_and_its_column_are_named;
    grants: a_grant_reads_back_as_it_was_agreed_to, what_is_agreed_to_later_comes_besides,
        all_who_agree_at_once_make_one_row_with_all_their_scopes,
        grants_are_listed_page_by_page_of_whom_and_for_what,
        a_withdrawn_grant_takes_codes_families_and_tokens_with_it,
        agreeing_and_withdrawing_at_once_do_not_stand_in_each_others_way, a_damaged_grant_and_its_column_are_named;
    families: what_a_code_began_reads_back_as_it_was_written, a_nul_character_in_a_code_is_refused_by_name,
        a_code_is_redeemed_once_until_the_instant_of_its_end, a_refresh_token_makes_way_for_the_next,
        a_refresh_token_is_good_until_the_instant_at_which_it_or_its_family_ends,
        an_answer_is_kept_for_the_spent_token_until_its_end, a_family_ends_with_all_its_tokens_and_alone,
        an_access_token_is_good_until_its_end_or_its_revocation,
        a_use_is_written_with_every_code_and_once_an_hour_beside,
        the_sweep_takes_of_each_kind_what_ended_first_and_no_more,
        a_family_is_not_swept_before_its_last_access_token, a_damaged_row_of_the_tokens_and_its_column_are_named;
    families_at_once: of_fifty_redemptions_of_one_code_one_is_done,
        of_fifty_rotations_of_one_refresh_token_one_is_true, a_revocation_beside_rotations_leaves_no_token,
        a_removed_grant_beside_codes_and_redemptions_leaves_nothing,
        deeds_on_the_families_of_one_grant_do_not_stand_in_each_others_way,
        deeds_of_users_operators_and_applications_at_once_do_not_stand_in_each_others_way;
    applications: an_application_reads_back_as_it_was_written, of_many_that_register_one_client_id_at_once_one_does,
        applications_are_listed_page_by_page, an_application_is_replaced_only_from_the_revision_before,
        an_application_goes_with_all_that_is_its, an_assertion_is_used_up_once,
        the_sweep_takes_the_assertions_that_ended_first_and_no_more,
        the_sweep_takes_what_registered_itself_and_was_never_used,
        the_sweep_takes_documents_that_are_believed_no_longer,
        the_oldest_that_came_by_itself_makes_room;
    traffic: a_week_of_traffic_ends_at_a_flat_size;
    users: a_user_reads_back_as_they_were_written, a_nul_character_in_a_user_is_refused_by_name,
        of_many_that_take_one_login_at_once_one_gets_it, users_are_listed_page_by_page,
        a_user_gets_another_name_and_another_address,
        what_a_back_end_tells_of_a_user_is_learnt, a_team_that_is_no_longer_told_of_ends_as_if_it_was_left,
        what_a_back_end_leaves_out_stays_as_it_is, what_is_learnt_without_teams_brings_none_back,
        of_many_first_sign_ins_at_once_one_user_comes_to_be,
        a_membership_begins_and_ends_with_what_acts_for_the_team, a_removed_user_takes_all_that_is_theirs,
        deeds_on_one_user_at_once_do_not_stand_in_each_others_way;
    sign_ins: a_browser_is_signed_in_until_its_end, who_signs_out_everywhere_keeps_their_consents,
        a_new_password_signs_out_everywhere, who_is_disabled_is_signed_out_and_stays_so,
        nothing_is_redeemed_or_rotated_past_what_ends_all,
        nobody_signs_in_beside_being_disabled, the_sweep_takes_the_sign_ins_that_ended_first_and_no_more;
    signing_keys: a_signing_key_reads_back_as_it_was_written, a_key_takes_the_place_of_the_newest,
        of_many_that_make_the_next_key_at_once_one_does, the_sweep_takes_the_keys_that_nothing_is_good_by;
    keys: of_many_that_add_a_version_at_once_one_does, all_keys_are_wrapped_anew_or_none,
        a_key_that_is_added_while_all_are_wrapped_anew_is_not_left_behind, the_newest_key_is_never_retired,
        every_sealed_value_is_met_once_with_what_it_is_sealed_to, every_column_of_octets_is_known,
        values_are_sealed_anew_and_nothing_else_of_their_rows_changes, what_was_written_meanwhile_is_not_sealed_anew,
        a_page_of_many_rows_ends_where_the_next_begins, an_answer_that_is_none_is_met_and_stays,
        calls_without_an_end_are_counted_by_their_beginning;
    upgrade: an_upgrade_from_the_schema_before_keeps_every_row;
    damage: a_damaged_row_is_an_error_that_names_its_table, a_damaged_row_and_its_column_are_named,
        a_damaged_row_of_the_portal_and_its_column_are_named,
        a_damaged_row_of_the_authorization_server_and_its_column_are_named, a_closed_store_says_so, the_store_answers_a_ping;
    opening: a_newer_schema_is_refused, an_old_schema_is_not_touched_when_migrating_is_forbidden,
        eight_processes_that_start_at_once_all_come_up, migrating_twice_does_nothing;
    health: a_sound_database_is_found_so_beside_a_running_store, a_look_makes_and_migrates_nothing,
        a_newer_and_a_foreign_schema_are_told_apart, every_key_of_the_store_is_found;
}

/// Tells each chapter to both databases and to the simulated one, with a clock that the test moves.
macro_rules! told_on_benches {
    ($($chapter:ident),* $(,)?) => {
        mod benches {
            mod sqlite {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $chapter() {
                    let bench = crate::refreshes::Bench::real(crate::world::World::sqlite().await).await;
                    crate::refreshes::$chapter(&bench).await;
                    bench.end().await;
                }
            )*}

            mod postgres {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $chapter() {
                    if let Some(world) = crate::world::World::postgres().await {
                        let bench = crate::refreshes::Bench::real(world).await;
                        crate::refreshes::$chapter(&bench).await;
                        bench.end().await;
                    }
                }
            )*}

            mod simulated {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $chapter() {
                    crate::refreshes::$chapter(&crate::refreshes::Bench::simulated()).await;
                }
            )*}
        }
    };
}

told_on_benches! {
    of_many_claims_at_once_one_wins,
    a_claim_needs_the_seen_generation_no_live_lease_and_an_unbroken_credential,
    a_lease_that_ran_out_passes_on_and_its_first_holder_writes_nothing_more,
    a_lease_that_was_given_back_is_not_prolonged, a_late_answer_is_kept_as_an_orphan_and_can_be_adopted,
    adopting_needs_only_the_generation_and_ends_the_present_lease,
    a_commit_takes_its_row_and_the_older_generations_with_it,
    a_refresh_without_refresh_token_or_extra_keeps_the_old_ones,
    ambiguous_calls_leave_one_row_a_generation_and_silence_sticks,
    a_call_that_was_not_processed_leaves_no_row, failures_are_counted_until_new_tokens_come,
    a_second_call_under_one_lease_raises_the_fence, the_due_time_is_set_for_the_generation_that_was_seen,
    what_failed_at_a_provider_that_is_back_is_due_at_once,
    each_due_credential_goes_to_one_of_two_replicas, what_is_broken_leased_or_excepted_is_not_taken,
    a_lease_that_ran_out_without_an_end_is_found, an_erased_credential_takes_its_journal_with_it,
    a_hold_stops_claims_until_it_is_lifted, a_grant_that_ends_is_warned_of_once_a_stage,
    a_use_changes_nothing_else, the_backlog_is_counted
}
