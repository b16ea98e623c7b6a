//! The strategies that this router has, as a type of its own: what is not there cannot be asked for.

use orch_core::RoutingStrategy;
use thiserror::Error;

/// A strategy that this router does not have. Choose one of `available`; it is never replaced silently.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("routing strategy `{strategy}` is not available here; available: {}", .available.join(", "))]
#[non_exhaustive]
pub struct UnavailableStrategy {
    /// The strategy that was asked for.
    pub strategy: RoutingStrategy,
    /// Those that would work.
    pub available: Vec<&'static str>,
}

/// How the workers that are able are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    BestFit,
    LeastLoaded,
    RoundRobin,
}

impl Order {
    const AVAILABLE: [&str; 3] = ["best_fit", "least_loaded", "round_robin"];
}

impl TryFrom<RoutingStrategy> for Order {
    type Error = UnavailableStrategy;

    fn try_from(strategy: RoutingStrategy) -> Result<Self, Self::Error> {
        match strategy {
            RoutingStrategy::BestFit => Ok(Self::BestFit),
            RoutingStrategy::LeastLoaded => Ok(Self::LeastLoaded),
            RoutingStrategy::RoundRobin => Ok(Self::RoundRobin),
            RoutingStrategy::MemoryInformed => {
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
        for strategy in RoutingStrategy::ALL {
            let listed = Order::AVAILABLE.contains(&strategy.as_str());
            assert_eq!(Order::try_from(*strategy).is_ok(), listed, "{strategy}");
        }
    }
}
