//! The one macro that writes `with_*` setters, so that `#[non_exhaustive]` types can be built from outside.

/// Writes a consuming setter per named field; `fn with_x(x: T)` takes `impl Into<T>`.
macro_rules! setters {
    ($type:ty { $($(#[$doc:meta])* $name:ident => $field:ident : $value:ty),+ $(,)? }) => {
        impl $type {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(mut self, $field: impl Into<$value>) -> Self {
                    self.$field = $field.into();
                    self
                }
            )+
        }
    };
}
pub(crate) use setters;
