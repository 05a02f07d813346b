//! The mappings that we ship, one file each in `presets/`. A new billing system is a file there and a line here.

use std::sync::LazyLock;

use super::mapping::Mapping;

const FILES: [(&str, &str); 22] = [
    ("generic", include_str!("presets/generic.toml")),
    (
        "stripe_invoice_line_items",
        include_str!("presets/stripe_invoice_line_items.toml"),
    ),
    ("stripe_invoices", include_str!("presets/stripe_invoices.toml")),
    ("stripe_invoices_api", include_str!("presets/stripe_invoices_api.toml")),
    ("stripe_credit_notes", include_str!("presets/stripe_credit_notes.toml")),
    ("stripe_balance_change", include_str!("presets/stripe_balance_change.toml")),
    ("stripe_all_activity", include_str!("presets/stripe_all_activity.toml")),
    ("stripe_payments", include_str!("presets/stripe_payments.toml")),
    ("stripe_subscriptions", include_str!("presets/stripe_subscriptions.toml")),
    (
        "chargebee_invoice_line_items",
        include_str!("presets/chargebee_invoice_line_items.toml"),
    ),
    (
        "chargebee_credit_note_line_items",
        include_str!("presets/chargebee_credit_note_line_items.toml"),
    ),
    ("recurly_line_items", include_str!("presets/recurly_line_items.toml")),
    ("lago_invoices", include_str!("presets/lago_invoices.toml")),
    ("lago_invoice_fees", include_str!("presets/lago_invoice_fees.toml")),
    ("paddle_transactions", include_str!("presets/paddle_transactions.toml")),
    (
        "revenuecat_transactions",
        include_str!("presets/revenuecat_transactions.toml"),
    ),
    ("shopify_orders", include_str!("presets/shopify_orders.toml")),
    ("orb_invoices", include_str!("presets/orb_invoices.toml")),
    ("openmeter_invoices", include_str!("presets/openmeter_invoices.toml")),
    ("lemonsqueezy_orders", include_str!("presets/lemonsqueezy_orders.toml")),
    ("app_store_sales", include_str!("presets/app_store_sales.toml")),
    ("chartmogul_line_items", include_str!("presets/chartmogul_line_items.toml")),
];

static PRESETS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let read =
        |(name, text): &(&str, &str)| Mapping::parse(name, text).expect("our own mappings are valid, and a test reads them");
    FILES.iter().map(read).collect()
});

/// All presets.
pub(crate) fn all() -> &'static [Mapping] {
    &PRESETS
}

/// The text of a preset, to copy and change.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Name and title of each preset.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    PRESETS.iter().map(|preset| (preset.name.as_str(), preset.title.as_str()))
}
