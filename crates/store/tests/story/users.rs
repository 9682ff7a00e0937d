//! People, their teams, and what ends with them.

use model::{TeamId, UserId};
use store::users::{Membership, PasswordHash, ToldMembership, User};
use store::{Error, Result, Store};
use vault::random;

use crate::issued::{authorization, count, issue, issuing};
use crate::world::{World, at};

pub(crate) fn user(login: &str) -> User {
    User {
        id: random::id(),
        backend: "local".to_owned(),
        login: login.to_owned(),
        email: Some(format!("{login}@example.com")),
        name: Some("Ann 'O\" Õ".to_owned()),
        password: Some(PasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned())),
        created_at: at(1),
        updated_at: at(1),
        disabled_at: None,
    }
}

/// Writes a user.
pub(crate) async fn made(world: &World, login: &str) -> User {
    let user = user(login);
    assert!(world.one.users.create(&user).await.unwrap());
    user
}

pub(crate) fn member(team: &str, name: &str, role: Option<&str>) -> Membership {
    Membership { team: team.parse().unwrap(), name: name.to_owned(), role: role.map(str::to_owned) }
}

fn told(teams: &[Membership]) -> Vec<ToldMembership> {
    let told = |own: &Membership| ToldMembership {
        team: own.team.clone(),
        name: Some(own.name.clone()),
        role: own.role.clone(),
    };
    teams.iter().map(told).collect()
}

/// A back end tells of a user and all of their teams.
async fn learn(replica: &Store, user: &User, teams: &[Membership]) -> Result<User> {
    replica.users.learn(user, Some(&told(teams))).await
}

/// The teams of a user: id, name and role.
async fn teams(world: &World, id: &UserId) -> Vec<(String, String, Option<String>)> {
    let teams = world.two.users.teams(id).await.unwrap();
    teams.into_iter().map(|team| (team.team.to_string(), team.name, team.role)).collect()
}

fn expected(teams: &[Membership]) -> Vec<(String, String, Option<String>)> {
    teams.iter().map(|team| (team.team.to_string(), team.name.clone(), team.role.clone())).collect()
}

pub(crate) async fn a_user_reads_back_as_they_were_written(world: &World) {
    let (one, two) = (&world.one.users, &world.two.users);
    let anna = user("anna");
    assert_eq!(two.get(&anna.id).await.unwrap(), None);
    assert!(one.create(&anna).await.unwrap());
    let elsewhere = User {
        backend: "oidc".to_owned(),
        email: None,
        name: None,
        password: None,
        updated_at: at(5),
        disabled_at: Some(at(7)),
        ..user("anna")
    };
    assert!(two.create(&elsewhere).await.unwrap(), "another back end knows another by this");
    for user in [&anna, &elsewhere] {
        assert_eq!(two.get(&user.id).await.unwrap().as_ref(), Some(user));
        assert_eq!(one.of_login(&user.backend, "anna").await.unwrap().as_ref(), Some(user));
    }
    for (backend, login) in [("local", "bert"), ("gotrue", "anna"), ("local", "Anna"), ("local", "an\0na")] {
        assert_eq!(one.of_login(backend, login).await.unwrap(), None, "{backend} {login}");
    }
    assert!(!two.create(&User { name: None, ..user("anna") }).await.unwrap(), "it is taken");
    assert_eq!(one.of_login("local", "anna").await.unwrap(), Some(anna));
}

pub(crate) async fn a_nul_character_in_a_user_is_refused_by_name(world: &World) {
    let users = &world.one.users;
    let nul = || "nul\0".to_owned();
    let anna = made(world, "anna").await;
    let team = |name: &str, role| users.join(&anna.id, Box::leak(Box::new(member("rowan", name, role))));
    let refused = [
        (users.create(&User { backend: nul(), ..user("a") }).await.err(), "users.backend"),
        (users.create(&User { login: nul(), ..user("a") }).await.err(), "users.login"),
        (
            users.create(&User { password: Some(PasswordHash(nul())), ..user("a") }).await.err(),
            "users.password",
        ),
        (learn(&world.one, &User { name: Some(nul()), ..user("a") }, &[]).await.err(), "users.name"),
        (users.set_name(&anna.id, Some("nul\0"), at(1)).await.err(), "users.name"),
        (users.set_email(&anna.id, "nul\0", "nul", at(1)).await.err(), "users.email"),
        (users.set_email(&anna.id, "nul", "nul\0", at(1)).await.err(), "users.login"),
        (users.set_password(&anna.id, "nul\0", at(1)).await.err(), "users.password"),
        (team("nul\0", None).await.err(), "teams.name"),
        (team("Rowan", Some("nul\0")).await.err(), "memberships.role"),
        (learn(&world.one, &user("a"), &[member("rowan", "nul\0", None)]).await.err(), "teams.name"),
    ];
    for (error, expected) in refused {
        assert!(matches!(error, Some(Error::NulCharacter { column }) if column == expected), "{error:?}");
    }
    assert_eq!((world.count("users").await, world.count("teams").await), (1, 0));
    assert_eq!(users.get(&anna.id).await.unwrap(), Some(anna));
}

pub(crate) async fn of_many_that_take_one_login_at_once_one_gets_it(world: &World) {
    for round in 0..10 {
        let login = format!("anna{round}");
        let created = world
            .at_once(8, |replica, caller| {
                let own = User { name: Some(caller.to_string()), ..user(&login) };
                async move { replica.users.create(&own).await.unwrap() }
            })
            .await;
        assert_eq!(created.iter().filter(|created| **created).count(), 1, "round {round}");
        let winner = created.iter().position(|created| *created).unwrap();
        let read = world.two.users.of_login("local", &login).await.unwrap().unwrap();
        assert_eq!(read.name, Some(winner.to_string()), "round {round}");
    }
}

pub(crate) async fn users_are_listed_page_by_page(world: &World) {
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(made(world, &number.to_string()).await.id);
    }
    ids.sort();
    for limit in [1, 2, 5, 9] {
        let (mut listed, mut after) = (Vec::new(), None::<UserId>);
        loop {
            let page = world.two.users.list(after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            listed.extend(page.iter().map(|user| user.id));
        }
        assert_eq!(listed, ids, "{limit}");
    }
}

pub(crate) async fn a_user_gets_another_name_and_another_address(world: &World) {
    let (one, two) = (&world.one.users, &world.two.users);
    let (anna, bert) = (made(world, "anna").await, made(world, "bert").await);
    assert!(two.set_name(&anna.id, Some("Ann"), at(4)).await.unwrap());
    assert!(one.set_email(&anna.id, "Ann@example.com", "ann", at(5)).await.unwrap());
    let changed = User {
        name: Some("Ann".to_owned()),
        email: Some("Ann@example.com".to_owned()),
        login: "ann".to_owned(),
        updated_at: at(5),
        ..anna
    };
    assert_eq!(two.get(&changed.id).await.unwrap(), Some(changed.clone()));
    assert_eq!(two.of_login("local", "ann").await.unwrap(), Some(changed.clone()));
    assert_eq!(two.of_login("local", "anna").await.unwrap(), None);

    assert!(
        !two.set_email(&changed.id, "bert@example.com", &bert.login, at(6)).await.unwrap(),
        "it is taken"
    );
    assert_eq!(one.get(&changed.id).await.unwrap(), Some(changed.clone()));
    assert_eq!(one.get(&bert.id).await.unwrap(), Some(bert));
    assert!(two.set_email(&changed.id, "ANN@example.com", "ann", at(7)).await.unwrap(), "it is their own");
    assert!(two.set_name(&changed.id, None, at(8)).await.unwrap());
    assert_eq!(one.get(&changed.id).await.unwrap().unwrap().name, None);
    let nobody = random::id();
    assert!(!two.set_name(&nobody, None, at(9)).await.unwrap());
    assert!(!two.set_email(&nobody, "x@example.com", "x", at(9)).await.unwrap());
}

pub(crate) async fn what_a_back_end_tells_of_a_user_is_learnt(world: &World) {
    let (one, two) = (&world.one.users, &world.two.users);
    let (rowan, birch) = (member("rowan", "Rowan", Some("owner")), member("birch", "Birch", None));
    let first = User { password: None, ..user("anna") };
    assert_eq!(learn(&world.one, &first, &[rowan.clone(), birch.clone()]).await.unwrap(), first);
    assert_eq!(two.get(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(teams(world, &first.id).await, expected(&[birch.clone(), rowan.clone()]), "by name");

    // What others decided stays.
    two.set_password(&first.id, "$argon2id$", at(2)).await.unwrap().unwrap();
    two.set_disabled(&first.id, Some(at(3)), at(3)).await.unwrap().unwrap();
    let anew = User { email: None, name: Some("Ann".to_owned()), updated_at: at(9), ..user("anna") };
    let known = User {
        id: first.id,
        created_at: at(1),
        password: Some(PasswordHash("$argon2id$".to_owned())),
        disabled_at: Some(at(3)),
        ..anew.clone()
    };
    let (renamed, alder) = (member("rowan", "Rowan OÜ", None), member("alder", "Alder", Some("x")));
    assert_eq!(learn(&world.two, &anew, &[renamed.clone(), alder.clone()]).await.unwrap(), known);
    assert_eq!(one.get(&first.id).await.unwrap(), Some(known));
    assert_eq!(one.get(&anew.id).await.unwrap(), None, "the id stays");
    assert_eq!(teams(world, &first.id).await, expected(&[alder, renamed.clone()]));

    // Another back end's is another.
    let elsewhere = User { backend: "oidc".to_owned(), ..user("anna") };
    learn(&world.one, &elsewhere, std::slice::from_ref(&birch)).await.unwrap();
    assert_eq!(teams(world, &elsewhere.id).await, expected(&[birch]));
    learn(&world.one, &elsewhere, &[member("rowan", "Rowan again", None)]).await.unwrap();
    let renamed = member("rowan", "Rowan again", None);
    assert_eq!(teams(world, &first.id).await[1], expected(&[renamed])[0], "the name is everybody's");
    learn(&world.one, &anew, &[]).await.unwrap();
    assert_eq!((teams(world, &first.id).await.len(), teams(world, &elsewhere.id).await.len()), (0, 1));
}

pub(crate) async fn what_a_back_end_leaves_out_stays_as_it_is(world: &World) {
    let anna = user("anna");
    let (rowan, birch) = (member("rowan", "Rowan", Some("owner")), member("birch", "birch", None));
    let nameless = |team: &str, role: Option<&str>| ToldMembership {
        team: team.parse().unwrap(),
        name: None,
        role: role.map(str::to_owned),
    };
    learn(&world.one, &anna, std::slice::from_ref(&rowan)).await.unwrap();
    issue(world, 1, &anna.id.to_string(), "rowan", "zap").await;
    let told = [nameless("rowan", None), nameless("birch", None)];
    world.two.users.learn(&user("anna"), Some(&told)).await.unwrap();
    let known = [Membership { role: None, ..rowan }, birch];
    assert_eq!(teams(world, &anna.id).await, expected(&known), "a name that is known stays, a role is told");
    world.one.users.learn(&user("anna"), Some(&told)).await.unwrap();
    world.one.users.learn(&User { name: None, ..user("anna") }, None).await.unwrap();
    assert_eq!(teams(world, &anna.id).await, expected(&known), "nothing is told of teams");
    assert_eq!(world.two.users.get(&anna.id).await.unwrap().unwrap().name, None);
    assert_eq!(count(world).await, [1; 5]);
    let bert = user("bert");
    assert_eq!(world.one.users.learn(&bert, None).await.unwrap(), bert);
    assert!(teams(world, &bert.id).await.is_empty());
}

/// Whoever leaves a team just when they sign in where nothing is told of teams stays out of it.
pub(crate) async fn what_is_learnt_without_teams_brings_none_back(world: &World) {
    for round in 0..10 {
        let anna = made(world, &format!("anna{round}")).await;
        let rowan = member("rowan", "Rowan", None);
        world.one.users.join(&anna.id, &rowan).await.unwrap();
        world
            .at_once(8, |replica, caller| {
                let (anna, team) = (anna.clone(), rowan.team.clone());
                async move {
                    if caller == 0 {
                        assert!(replica.users.leave(&anna.id, &team).await.unwrap());
                    } else {
                        replica.users.learn(&anna, None).await.unwrap();
                    }
                }
            })
            .await;
        assert!(teams(world, &anna.id).await.is_empty(), "round {round}");
    }
}

pub(crate) async fn a_team_that_is_no_longer_told_of_ends_as_if_it_was_left(world: &World) {
    let anna = user("anna");
    let [rowan, birch, alder] = ["rowan", "birch", "alder"].map(|team| member(team, team, None));
    learn(&world.one, &anna, &[rowan.clone(), birch.clone(), alder]).await.unwrap();
    for (number, team) in [(1, ""), (2, "rowan"), (3, "birch"), (4, "alder")] {
        issue(world, number, &anna.id.to_string(), team, "zap").await;
    }
    learn(&world.two, &user("anna"), &[birch, rowan.clone()]).await.unwrap();
    assert_eq!(count(world).await, [3; 5], "of alder");
    learn(&world.two, &user("anna"), &[rowan]).await.unwrap();
    assert_eq!(count(world).await, [2; 5], "of birch");
    assert_eq!(world.texts("SELECT team FROM grants ORDER BY team").await, ["", "rowan"]);
    learn(&world.two, &user("anna"), &[]).await.unwrap();
    assert_eq!(count(world).await, [1; 5], "what she does for herself alone stays");
}

pub(crate) async fn of_many_first_sign_ins_at_once_one_user_comes_to_be(world: &World) {
    for round in 0..10 {
        let logins = [format!("anna{round}"), format!("bert{round}")];
        let learnt = world
            .at_once(8, |replica, caller| {
                let own = User { name: Some(caller.to_string()), ..user(&logins[caller / 4]) };
                // Each names the teams in another order.
                let mut told = ["rowan", "birch", "alder"].map(|team| member(team, team, None));
                told.rotate_left(caller % 3);
                async move { learn(&replica, &own, &told).await.unwrap().id }
            })
            .await;
        for learnt in learnt.chunks(4) {
            assert!(learnt.iter().all(|id| *id == learnt[0]), "round {round}: {learnt:?}");
            assert_eq!(teams(world, &learnt[0]).await.len(), 3);
        }
        assert_eq!(world.count("users").await, 2 * (round + 1));
    }
}

pub(crate) async fn a_membership_begins_and_ends_with_what_acts_for_the_team(world: &World) {
    let (one, two) = (&world.one.users, &world.two.users);
    let (anna, bert) = (made(world, "anna").await.id, made(world, "bert").await.id);
    let (rowan, birch) = (member("rowan", "rowan", Some("owner")), member("birch", "Birch", None));
    assert!(!one.join(&random::id(), &rowan).await.unwrap());
    assert_eq!(world.count("teams").await, 0);
    for (user, membership) in [(&anna, &rowan), (&anna, &birch), (&bert, &rowan)] {
        assert!(one.join(user, membership).await.unwrap());
    }
    assert_eq!(teams(world, &anna).await, expected(&[birch.clone(), rowan.clone()]));
    let renamed = member("rowan", "Rowan", None);
    assert!(two.join(&bert, &renamed).await.unwrap());
    assert_eq!(teams(world, &bert).await, expected(&[renamed]));
    let of_anna = member("rowan", "Rowan", Some("owner"));
    assert_eq!(teams(world, &anna).await, expected(&[birch.clone(), of_anna]), "her role is her own");

    let (annas, berts) = (anna.to_string(), bert.to_string());
    for (number, user, team, client_id) in [
        (1, &annas, "", "zap"),
        (2, &annas, "rowan", "zap"),
        (3, &annas, "rowan", "zap2"),
        (4, &annas, "birch", "zap"),
        (5, &berts, "rowan", "zap"),
    ] {
        issue(world, number, user, team, client_id).await;
    }
    let team: TeamId = "rowan".parse().unwrap();
    let left = world.at_once(8, |replica, _| {
        let team = team.clone();
        async move { replica.users.leave(&anna, &team).await.unwrap() }
    });
    assert_eq!(left.await.into_iter().filter(|left| *left).count(), 1);
    assert_eq!(count(world).await, [3; 5]);
    let of_rowan = "grants WHERE team = 'rowan'";
    assert_eq!(world.count(of_rowan).await, 1, "bert is a member still");
    assert_eq!(teams(world, &anna).await, expected(&[birch]));
    assert_eq!(teams(world, &bert).await.len(), 1);
    assert!(!two.leave(&random::id(), &team).await.unwrap());
}

pub(crate) async fn a_removed_user_takes_all_that_is_theirs(world: &World) {
    let two = &world.two.users;
    let (anna, bert) = (made(world, "anna").await, made(world, "bert").await);
    for (number, id) in [(0, anna.id), (10, bert.id)] {
        let user = id.to_string();
        assert!(two.join(&id, &member("rowan", "Rowan", None)).await.unwrap());
        crate::sign_ins::sign_in(world, &user, &id, 60).await;
        authorization(world, number, "zap", Some(&user)).await;
        for (next, team) in [(1, ""), (2, "rowan")] {
            issue(world, number + next, &user, team, "zap").await;
        }
    }
    let removed = world.at_once(8, |replica, _| async move { replica.users.remove(&anna.id).await.unwrap() });
    assert_eq!(removed.await.into_iter().filter(|removed| *removed).count(), 1);
    assert_eq!(two.get(&anna.id).await.unwrap(), None);
    assert_eq!(two.get(&bert.id).await.unwrap(), Some(bert));
    assert_eq!(count(world).await, [2; 5]);
    for table in ["users", "memberships", "sign_ins", "authorizations", "teams"] {
        assert_eq!(world.count(table).await, 1, "{table}");
    }
}

pub(crate) async fn deeds_on_one_user_at_once_do_not_stand_in_each_others_way(world: &World) {
    let teams: Vec<_> = (10..26).map(|team| member(&team.to_string(), "a team", None)).collect();
    for round in 0..8 {
        world.one.applications.create(&crate::applications::application("zap")).await.unwrap();
        let users = [user(&format!("anna{round}")), user(&format!("bert{round}"))];
        for (user, number) in users.iter().zip([100, 200]) {
            let id = user.id.to_string();
            learn(&world.one, user, &teams).await.unwrap();
            // The rows do not lie in the order of the teams.
            let backwards = (number..).zip(teams.iter().rev());
            let rows = backwards.map(|(number, team)| issuing(world, number, &id, team.team.as_str(), "zap"));
            world.sql(&rows.collect::<String>()).await;
            authorization(world, number, "zap", Some(&id)).await;
            authorization(world, number + 1, "zap", Some(&id)).await;
        }
        let done = world.at_once(9, |replica, caller| {
            let (user, own, last) = (users[caller % 2].clone(), teams[..1].to_vec(), teams[15].team.clone());
            async move {
                match caller / 2 {
                    0 => learn(&replica, &User { name: None, ..user }, &own).await.map(drop),
                    1 => replica.users.leave(&user.id, &last).await.map(drop),
                    2 if round % 2 == 0 => replica.users.remove(&user.id).await.map(drop),
                    2 => replica.users.set_password(&user.id, "another", at(5)).await.map(drop),
                    3 => replica.users.join(&user.id, &own[0]).await.map(drop),
                    _ => replica.applications.remove(&"zap".parse().unwrap()).await.map(drop),
                }
            }
        });
        for (caller, done) in done.await.into_iter().enumerate() {
            assert!(done.is_ok(), "round {round}, {caller}: {done:?}");
        }
        assert_eq!((count(world).await, world.count("authorizations").await), ([0; 5], 0));
    }
}
