//! The strategies that this decomposer has, as a type of its own: what is not there cannot be asked for.

use orch_core::DecompositionStrategy;
use thiserror::Error;

/// A strategy that this decomposer does not have. Choose one of `available`; it is never replaced silently.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("decomposition strategy `{strategy}` is not available here; available: {}", .available.join(", "))]
#[non_exhaustive]
pub struct UnavailableStrategy {
    /// The strategy that was asked for.
    pub strategy: DecompositionStrategy,
    /// Those that would work.
    pub available: Vec<&'static str>,
}

/// How a task without a given plan is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Capability,
    Domain,
    Hybrid,
}

impl Method {
    const AVAILABLE: [&str; 3] = ["capability_based", "domain_based", "hybrid"];
}

impl TryFrom<DecompositionStrategy> for Method {
    type Error = UnavailableStrategy;

    fn try_from(strategy: DecompositionStrategy) -> Result<Self, Self::Error> {
        match strategy {
            DecompositionStrategy::CapabilityBased => Ok(Self::Capability),
            DecompositionStrategy::DomainBased => Ok(Self::Domain),
            DecompositionStrategy::Hybrid => Ok(Self::Hybrid),
            DecompositionStrategy::PhaseBased => {
                Err(UnavailableStrategy { strategy, available: Self::AVAILABLE.to_vec() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listed_strategies_are_those_that_work() {
        for strategy in DecompositionStrategy::ALL {
            let listed = Method::AVAILABLE.contains(&strategy.as_str());
            assert_eq!(Method::try_from(*strategy).is_ok(), listed, "{strategy}");
        }
    }
}
