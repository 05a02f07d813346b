//! One process at a time under one name, such as a collector's id: a lease that its holder keeps for as long as it lives.
//!
//! A lease alone would keep a process that was killed out of its own name until the lease runs out. So the holder shows a
//! token that stays with it over restarts. Who has another token waits to see whether the last holder still lives: one
//! that does renews its lease, one that does not loses it.

use std::time::Duration;

use crate::lease::Lease;
use crate::{Lake, LakeError};

/// How long a claim lives after its last renewal: what another token under the same name waits after a crash.
const LIFE: Duration = Duration::from_secs(30);

/// The right to a name, until it is released or its process ends.
#[derive(Debug)]
pub struct Claim {
    lease: Lease,
}

impl Claim {
    /// Takes the name (a plain word). Fails with [`LakeError::Claimed`] where another process lives under it.
    pub async fn take(lake: &Lake, name: &str, token: &str) -> Result<Claim, LakeError> {
        Self::take_for(lake, name, token, LIFE).await
    }

    async fn take_for(lake: &Lake, name: &str, token: &str, life: Duration) -> Result<Claim, LakeError> {
        let mut seen: Option<String> = None;
        loop {
            let (owner, until) = match Lease::acquire_as(lake, name, life, Some(token)).await {
                Ok(lease) => return Ok(Claim { lease }),
                Err(LakeError::Leased { owner, until, .. }) => (owner, until),
                Err(error) => return Err(error),
            };
            match &seen {
                None => {
                    tracing::info!(
                        name,
                        owner,
                        until,
                        "waiting to see whether the last holder of this name still lives"
                    );
                    seen = Some(until);
                }
                Some(before) if *before != until => {
                    let name = name.to_owned();
                    return Err(LakeError::Claimed { name, owner });
                }
                Some(_) => {}
            }
            tokio::time::sleep(life / 30).await;
        }
    }

    /// Fails when somebody else has the name now, as after a long sleep of this machine.
    pub async fn check(&self) -> Result<(), LakeError> {
        self.lease.check().await
    }

    /// Gives the name back.
    pub async fn release(self) -> Result<(), LakeError> {
        self.lease.release().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lake(folder: &tempfile::TempDir) -> Lake {
        Lake::open(folder.path().to_str().expect("a path")).expect("a lake")
    }

    #[tokio::test]
    async fn a_name_has_one_holder_who_is_seen_to_live() {
        let folder = tempfile::tempdir().expect("folder");
        let life = Duration::from_secs(3);
        let first = Claim::take_for(&lake(&folder), "collector-a", "one", life)
            .await
            .expect("free");
        let refused = Claim::take_for(&lake(&folder), "collector-a", "two", life).await;
        let Err(LakeError::Claimed { owner, .. }) = &refused else {
            panic!("{refused:?}")
        };
        assert!(owner.contains(&std::process::id().to_string()), "{owner}");
        Claim::take(&lake(&folder), "collector-b", "two")
            .await
            .expect("another name is free");
        first.release().await.expect("released");
        Claim::take(&lake(&folder), "collector-a", "two").await.expect("free again");
    }

    #[tokio::test]
    async fn the_same_holder_started_again_does_not_wait() {
        let folder = tempfile::tempdir().expect("folder");
        let crashed = Claim::take(&lake(&folder), "collector-a", "its token").await.expect("free");
        let again = Claim::take(&lake(&folder), "collector-a", "its token")
            .await
            .expect("its own");
        assert!(crashed.check().await.is_err(), "the older one notices");
        again.check().await.expect("ours");
    }

    #[tokio::test]
    async fn a_holder_that_died_loses_the_name() {
        let folder = tempfile::tempdir().expect("folder");
        let life = Duration::from_secs(1);
        // Dropped without a release: nothing renews it.
        drop(
            Claim::take_for(&lake(&folder), "collector-a", "one", life)
                .await
                .expect("free"),
        );
        Claim::take_for(&lake(&folder), "collector-a", "two", life)
            .await
            .expect("taken over");
    }
}
