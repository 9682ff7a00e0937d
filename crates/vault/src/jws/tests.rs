use model::SigningKeySecret;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jwk::{ALGORITHMS, JwksError, check_jwks};
use crate::signing::{SigningAlgorithm, SigningKey};

fn set(keys: &[Value]) -> KeySet {
    KeySet::new(&json!({"keys": keys})).unwrap()
}

fn verified(token: &str, keys: &KeySet) -> Result<Map<String, Value>, JwsError> {
    verify(token, keys).map(|verified| verified.claims)
}

/// A token of ours, and its public key.
fn signed(algorithm: SigningAlgorithm) -> (String, Value) {
    let key = SigningKey::new([7; 16].into(), algorithm, &algorithm.generate()).unwrap();
    (key.sign("JWT", &json!({"sub": "usr_1"})), key.public_jwk())
}

/// A token of ours with another header, its signature good for it.
fn with_header(header: &Value) -> (String, KeySet) {
    let secret = SigningAlgorithm::EdDsa.generate();
    let key = SigningKey::new([7; 16].into(), SigningAlgorithm::EdDsa, &secret).unwrap();
    let token = compact(header, &json!({"sub": "usr_1"}), |message| key.signature(message));
    (token, set(&[key.public_jwk()]))
}

fn rsa_key() -> Value {
    json!({
        "kty": "RSA",
        "n": concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR",
            "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB",
            "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia",
            "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        ),
        "e": "AQAB",
    })
}

fn ec_key() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

const RSA_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiJ9",
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9",
    "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB",
    "_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq",
    "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);

const EC_TOKEN: &str = concat!(
    "eyJhbGciOiJFUzI1NiJ9",
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
);

#[test]
fn rfc7515_appendix_a_2_and_a_3_examples_verify() {
    let keys = set(&[ec_key(), rsa_key()]);
    for token in [RSA_TOKEN, EC_TOKEN] {
        let claims = verified(token, &keys).unwrap();
        assert_eq!(
            Value::Object(claims),
            json!({"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true})
        );
    }
}

/// Its payload is a sentence, not claims.
#[test]
fn rfc8037_appendix_a_example_verifies_and_is_signed_alike() {
    let token = concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    let public = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let (_, payload) = verify_payload(token, &set(std::slice::from_ref(&public))).unwrap();
    assert_eq!(payload, b"Example of Ed25519 signing");
    assert_eq!(verified(token, &set(std::slice::from_ref(&public))), Err(JwsError::Format));
    // Appendix A.1, in the PKCS #8 of RFC 8410 §7.
    let private = concat!(
        "302e020100300506032b657004220420",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    );
    let private = data_encoding::HEXLOWER.decode(private.as_bytes()).unwrap();
    let secret = data_encoding::BASE64.encode(&private).into();
    let key = SigningKey::new([7; 16].into(), SigningAlgorithm::EdDsa, &secret).unwrap();
    assert_eq!(key.public_jwk()["x"], public["x"]);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(BASE64URL_NOPAD.encode(key.signature(signed.as_bytes()).as_ref()), signature);
}

/// Made with Python's `joserfc` 1.8.
#[test]
fn tokens_signed_elsewhere_verify_by_every_algorithm() {
    let known: Value = serde_json::from_str(include_str!("known_answers.json")).unwrap();
    let tokens = known["tokens"].as_object().unwrap();
    check_jwks(&known).unwrap();
    let mut seen: Vec<_> = tokens.keys().map(String::as_str).collect();
    seen.push("Ed25519");
    assert!(ALGORITHMS.iter().all(|algorithm| seen.contains(algorithm)) && seen.len() == ALGORITHMS.len());
    let keys = KeySet::new(&known).unwrap();
    for (algorithm, token) in tokens {
        assert_eq!(verified(token.as_str().unwrap(), &keys).unwrap()["signed"], algorithm.as_str());
    }
    // With an RSA key that pins its algorithm, the others are refused.
    let mut rsa = known["keys"][3].clone();
    for pinned in ["RS256", "RS384", "RS512", "PS256"] {
        rsa["alg"] = json!(pinned);
        let keys = set(std::slice::from_ref(&rsa));
        let taken = |(_, token): &(&String, &Value)| verified(token.as_str().unwrap(), &keys).is_ok();
        assert_eq!(tokens.iter().filter(taken).map(|(algorithm, _)| algorithm).collect::<Vec<_>>(), [pinned]);
    }
}

#[test]
fn what_we_sign_verifies_and_says_what_it_is() {
    for algorithm in SigningAlgorithm::ALL {
        let (token, public) = signed(*algorithm);
        let verified = verify(&token, &set(std::slice::from_ref(&public))).unwrap();
        assert_eq!(Value::Object(verified.claims), json!({"sub": "usr_1"}));
        let kid = "sig_07070707070707070707070707070707";
        assert_eq!(
            Value::Object(verified.header),
            json!({"typ": "JWT", "alg": algorithm.word(), "kid": kid})
        );
        assert_eq!(
            (&public["use"], &public["alg"], &public["kid"]),
            (&json!("sig"), &json!(algorithm.word()), &json!(kid))
        );
        assert_eq!(check_jwks(&json!({"keys": [public]})), Ok(()));
        assert_eq!(SigningAlgorithm::from_word(algorithm.word()), Some(*algorithm));
    }
}

#[test]
fn a_signing_key_is_read_by_its_own_algorithm_alone() {
    let read =
        |algorithm, secret: &SigningKeySecret| SigningKey::new([7; 16].into(), algorithm, secret).is_ok();
    for made in SigningAlgorithm::ALL {
        let secret = made.generate();
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(read(*algorithm, &secret), algorithm == made, "{made:?} read as {algorithm:?}");
        }
    }
    for bad in ["", "AAAA", "not base64"] {
        assert!(!SigningAlgorithm::ALL.iter().any(|algorithm| read(*algorithm, &bad.into())), "{bad:?}");
    }
}

#[test]
fn every_flipped_bit_of_a_token_is_refused() {
    for algorithm in SigningAlgorithm::ALL {
        let (token, public) = signed(*algorithm);
        let keys = set(&[public]);
        for bit in 0..token.len() * 8 {
            let mut octets = token.clone().into_bytes();
            octets[bit / 8] ^= 1 << (bit % 8);
            // What is not UTF-8 is no text, and never comes here.
            if let Ok(text) = String::from_utf8(octets) {
                assert!(verified(&text, &keys).is_err(), "bit {bit}");
            }
        }
    }
}

#[test]
fn a_token_is_three_parts_of_base64url_without_padding() {
    let (token, public) = signed(SigningAlgorithm::EdDsa);
    let keys = set(&[public]);
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let bad = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{header}.{claims}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}="),
        format!(" {token}"),
        format!("{header}.{claims}.+{}", &signature[1..]),
        format!("{}.{claims}.{signature}", BASE64URL_NOPAD.encode(b"[]")),
        format!("{}.{claims}.{signature}", BASE64URL_NOPAD.encode(b"{")),
    ];
    for token in bad {
        assert_eq!(verified(&token, &keys), Err(JwsError::Format), "{token:?}");
    }
    assert_eq!(verified(&format!("{header}.{claims}."), &keys), Err(JwsError::Signature));
    let long = format!("{header}.{}.{signature}", "A".repeat(16 * 1024));
    assert_eq!(verified(&long, &keys), Err(JwsError::TooLong));
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let (token, keys) = with_header(&json!({"alg": alg}));
        assert_eq!(verified(&token, &keys), Err(JwsError::Algorithm), "{alg:?}");
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_eq!(verified(&format!("{unsigned}."), &keys), Err(JwsError::Algorithm), "{alg:?}");
    }
    let (token, keys) = with_header(&json!({"typ": "JWT"}));
    assert_eq!(verified(&token, &keys), Err(JwsError::Algorithm));
    let (token, keys) = with_header(&json!({"alg": ["EdDSA"]}));
    assert_eq!(verified(&token, &keys), Err(JwsError::Format));
}

/// The public key as the secret of an HMAC: the old confusion of RS256 and HS256.
#[test]
fn a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() {
    let n = BASE64URL_NOPAD.decode(rsa_key()["n"].as_str().unwrap().as_bytes()).unwrap();
    for alg in ["HS256", "RS256"] {
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &n);
        let token =
            compact(&json!({"alg": alg}), &json!({}), |message| aws_lc_rs::hmac::sign(&secret, message));
        assert!(matches!(
            verified(&token, &set(&[rsa_key()])),
            Err(JwsError::Algorithm | JwsError::Signature)
        ));
    }
}

#[test]
fn the_header_can_not_bring_another_algorithm_than_the_keys() {
    for alg in ["ES256", "ES384", "RS256", "RS512", "PS256"] {
        let (token, keys) = with_header(&json!({"alg": alg}));
        assert_eq!(verified(&token, &keys), Err(JwsError::NoKey), "{alg}");
    }
    let mut pinned = rsa_key();
    pinned["alg"] = json!("PS256");
    assert_eq!(verified(RSA_TOKEN, &set(&[pinned])), Err(JwsError::NoKey));
    let (token, keys) = with_header(&json!({"alg": "Ed25519"}));
    assert!(verified(&token, &keys).is_ok(), "RFC 9864 calls EdDSA so");
}

#[test]
fn rfc7515_4_1_11_a_critical_header_is_refused() {
    for critical in [json!(["b64"]), json!([]), json!(null)] {
        let (token, keys) = with_header(&json!({"alg": "EdDSA", "crit": critical, "b64": true}));
        assert_eq!(verified(&token, &keys), Err(JwsError::Critical));
    }
}

/// `jwk`, `jku` and the like of the header bring no key.
#[test]
fn a_key_in_the_header_is_nothing() {
    let (_, other) = signed(SigningAlgorithm::EdDsa);
    let (_, own) = signed(SigningAlgorithm::EdDsa);
    let (token, _) = with_header(&json!({"alg": "EdDSA", "jwk": own, "jku": "https://example.com/jwks"}));
    assert_eq!(verified(&token, &set(&[other])), Err(JwsError::Signature));
}

#[test]
fn the_kid_chooses_among_several_keys() {
    let (token, public) = signed(SigningAlgorithm::EdDsa);
    let (_, mut other) = signed(SigningAlgorithm::EdDsa);
    let named = |mut key: Value, kid: Option<&str>| {
        match kid {
            Some(kid) => key["kid"] = json!(kid),
            None => drop(key.as_object_mut().unwrap().remove("kid")),
        }
        key
    };
    other["kid"] = json!("other");
    let result = |keys: &[Value]| verified(&token, &set(keys)).map(drop);
    assert_eq!(result(&[other.clone(), public.clone()]), Ok(()));
    assert_eq!(result(std::slice::from_ref(&other)), Err(JwsError::NoKey));
    assert_eq!(result(&[other.clone(), named(public.clone(), Some("third"))]), Err(JwsError::NoKey));
    assert_eq!(
        result(&[other.clone(), named(public.clone(), None)]),
        Ok(()),
        "a key without a name may be any"
    );
    let own = public["kid"].as_str().unwrap().to_owned();
    let both = [named(other.clone(), Some(&own)), public.clone()];
    assert_eq!(result(&both), Ok(()), "two keys of one name are both tried");
    assert_eq!(
        result(&[named(other.clone(), Some(&own)), named(public.clone(), None)]),
        Err(JwsError::Signature)
    );
    // Without a kid in the token every key that fits is tried.
    let (_, another) = signed(SigningAlgorithm::Es256);
    assert!(verified(EC_TOKEN, &set(&[another, other, named(ec_key(), Some("named"))])).is_ok());
}

/// Keys that are for something else, or of a kind that nobody here knows, are left (RFC 7517 §5).
#[test]
fn rfc7517_5_keys_that_are_not_for_us_are_left() {
    let with = |member: &str, value: Value| {
        let mut key = ec_key();
        key[member] = value;
        key
    };
    let foreign = [
        with("use", json!("enc")),
        with("key_ops", json!(["deriveKey"])),
        with("key_ops", json!("verify")),
        with("alg", json!("ECDH-ES")),
        with("alg", json!("RS256")),
        with("alg", json!("HS256")),
        with("crv", json!("secp256k1")),
        json!({"kty": "OKP", "crv": "X25519", "x": ec_key()["x"]}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}),
    ];
    for key in foreign {
        let alone = json!({"keys": [key]});
        assert_eq!(check_jwks(&alone), Err(JwksError::NoneUsable), "{key}");
        assert_eq!(verified(EC_TOKEN, &KeySet::new(&alone).unwrap()), Err(JwsError::NoKey), "{key}");
        assert_eq!(check_jwks(&json!({"keys": [key, ec_key()]})), Ok(()));
        assert!(verified(EC_TOKEN, &set(&[key, ec_key()])).is_ok());
    }
    for good in
        [with("use", json!("sig")), with("alg", json!("ES256")), with("key_ops", json!(["sign", "verify"]))]
    {
        assert!(verified(EC_TOKEN, &set(&[good])).is_ok());
    }
}

#[test]
fn a_private_key_or_a_shared_secret_is_not_registered() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let mut key = rsa_key();
        key[member] = json!("AAAA");
        let keys = json!({"keys": [ec_key(), key]});
        assert_eq!(check_jwks(&keys), Err(JwksError::Private { number: 2 }), "{member}");
        assert_eq!(verified(RSA_TOKEN, &KeySet::new(&keys).unwrap()), Err(JwsError::NoKey), "{member}");
    }
    let shared = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
    assert_eq!(check_jwks(&shared), Err(JwksError::Private { number: 1 }));
}

#[test]
fn a_key_that_is_none_is_not_registered_and_takes_no_token() {
    let with = |key: Value, member: &str, value: Value| {
        let mut key = key;
        key[member] = value;
        key
    };
    let octets = |octets: &[u8]| json!(BASE64URL_NOPAD.encode(octets));
    let modulus = |bits: usize| octets(&[vec![1 << ((bits - 1) % 8)], vec![0xff; (bits - 1) / 8]].concat());
    let short = [0xff; 31];
    let spki = data_encoding::HEXLOWER.decode(b"302a300506032b6570032100").unwrap();
    let bad = [
        json!({}),
        json!({"kty": 1}),
        json!({"kty": "EC", "crv": "P-256", "x": ec_key()["x"]}),
        with(ec_key(), "kid", json!(1)),
        with(ec_key(), "x", octets(&short)),
        with(ec_key(), "x", ec_key()["y"].clone()),
        with(ec_key(), "y", json!("x/FEzRu9m36HLN/tue659LNpXW6pCyStikYjKIWI5a0")),
        with(ec_key(), "crv", json!("P-384")),
        json!({"kty": "OKP", "crv": "Ed25519", "x": octets(&short)}),
        // A whole SubjectPublicKeyInfo (RFC 8410 §4) in the place of the key.
        json!({"kty": "OKP", "crv": "Ed25519", "x": octets(&[&spki, [7; 32].as_slice()].concat())}),
        with(rsa_key(), "n", modulus(2047)),
        with(rsa_key(), "n", modulus(8193)),
        with(rsa_key(), "n", octets(&[&[0], &[0xff; 256][..]].concat())),
        with(rsa_key(), "n", octets(&[])),
        with(rsa_key(), "n", octets(&[[0xff; 256].as_slice(), &[0xfe]].concat())),
        with(rsa_key(), "e", octets(&[1])),
        with(rsa_key(), "e", octets(&[0])),
        with(rsa_key(), "e", octets(&[2])),
        with(rsa_key(), "e", octets(&[])),
        with(rsa_key(), "e", octets(&[0, 1, 0, 1])),
        with(rsa_key(), "e", octets(&[1, 0, 0, 0, 1])),
    ];
    for key in bad {
        let keys = json!({"keys": [key]});
        assert!(matches!(check_jwks(&keys), Err(JwksError::Key { number: 1, .. })), "{key}");
        for token in [RSA_TOKEN, EC_TOKEN] {
            assert_eq!(verified(token, &KeySet::new(&keys).unwrap()), Err(JwsError::NoKey), "{key}");
        }
    }
    for bits in [2048, 3072, 8192] {
        assert_eq!(check_jwks(&json!({"keys": [with(rsa_key(), "n", modulus(bits))]})), Ok(()), "{bits}");
    }
}

#[test]
fn a_set_of_keys_has_its_limits() {
    for not_a_set in [json!(null), json!([]), json!({}), json!({"keys": {}}), json!({"keys": [1]})] {
        assert_eq!(check_jwks(&not_a_set), Err(JwksError::Format), "{not_a_set}");
        assert_eq!(KeySet::new(&not_a_set).map(drop), Err(JwksError::Format), "{not_a_set}");
    }
    assert_eq!(check_jwks(&json!({"keys": []})), Err(JwksError::NoneUsable));
    assert_eq!(check_jwks(&json!({"keys": vec![ec_key(); 20]})), Ok(()));
    assert_eq!(check_jwks(&json!({"keys": vec![ec_key(); 21]})), Err(JwksError::TooMany));
    let long = json!({"keys": [ec_key()], "more": "x".repeat(64 * 1024)});
    assert_eq!(check_jwks(&long), Err(JwksError::TooLong));
    assert_eq!(KeySet::new(&long).map(drop), Err(JwksError::TooLong));
}

proptest! {
    #[test]
    fn any_text_is_refused_without_panic(
        text in ".{0,200}",
        parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5),
    ) {
        let keys = set(&[ec_key(), rsa_key()]);
        prop_assert!(verified(&text, &keys).is_err());
        prop_assert!(verified(&parts.join("."), &keys).is_err());
    }

    #[test]
    fn any_members_of_a_key_are_read_without_panic(
        (kty, crv) in prop::sample::select(vec![("RSA", ""), ("EC", "P-256"), ("EC", "P-384"), ("OKP", "Ed25519")]),
        members in prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..70)),
    ) {
        let [x, y, n, e] = members.map(|octets| BASE64URL_NOPAD.encode(&octets));
        let keys = json!({"keys": [{"kty": kty, "crv": crv, "x": x, "y": y, "n": n, "e": e}]});
        // A point of Edwards' curve is the one thing that random octets can be.
        prop_assert!(check_jwks(&keys).is_err() || kty == "OKP");
        prop_assert!(KeySet::new(&keys).is_ok());
    }
}
