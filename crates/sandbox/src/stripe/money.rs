//! Amounts, as the currencies allow them.

use super::form::Form;
use super::problem::Problem;

const MAX_AMOUNT: i64 = 99_999_999;
/// Currencies that are played, with the smallest amount that can be charged.
const CURRENCIES: [(&str, i64); 16] = [
    ("aud", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("huf", 17500),
    ("jpy", 50),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("usd", 50),
];

/// The amount, if it is there, as this currency allows it.
pub(super) fn amount(form: &Form, currency: &str) -> Result<Option<i64>, Problem> {
    let Some((_, least)) = CURRENCIES.iter().find(|(code, _)| *code == currency) else {
        let codes: Vec<&str> = CURRENCIES.iter().map(|(code, _)| *code).collect();
        return Err(
            Problem::invalid(format!("The currency must be one of {}.", codes.join(", "))).at("currency")
        );
    };
    let Some(amount) = form.integer("amount")? else { return Ok(None) };
    if amount < *least {
        let message = format!("The amount must be at least {least} of the currency's smallest unit.");
        return Err(Problem::invalid(message).with_code("amount_too_small").at("amount"));
    }
    if amount > MAX_AMOUNT {
        let message = format!("The amount must be at most {MAX_AMOUNT}.");
        return Err(Problem::invalid(message).with_code("amount_too_large").at("amount"));
    }
    Ok(Some(amount))
}

/// The platform's fee, if it is there.
pub(super) fn fee(form: &Form, amount: i64) -> Result<Option<i64>, Problem> {
    let fee = form.integer("application_fee_amount")?;
    if fee.is_some_and(|fee| fee < 1 || fee > amount) {
        let message = "The fee must be positive and at most the amount.";
        return Err(Problem::invalid(message).at("application_fee_amount"));
    }
    Ok(fee)
}
