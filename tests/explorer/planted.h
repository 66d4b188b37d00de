// Mistakes that a broker could make, made by the wire: the explorer must find each.
#pragma once

#include "mqttrpc/testing/world.h"

namespace mqttrpc::explorer::planted {

// Every third PUBLISH of QoS 1 or 2 does not come.
void LosesAMessage(testing::World& world);

// The next PUBLISH overtakes it.
void Reorders(testing::World& world);

// QoS 1 twice on one connection, without DUP.
void RepeatsQoS1(testing::World& world);

// QoS 2 twice, the second under a fresh Packet Identifier, so that no receiver
// can tell.
void RepeatsQoS2(testing::World& world);

// RETAIN does not arrive.
void ForgetsRetained(testing::World& world);

// "Clear" does not arrive.
void KeepsWhatWasCleared(testing::World& world);

// Wills do not come; wills come though they were not due.
void LosesWills(testing::World& world);
void RepeatsWills(testing::World& world);

// Sessions end with their connections; never end.
void ForgetsSessions(testing::World& world);
void KeepsSessions(testing::World& world);

// Message Expiry is not heeded; not counted down.
void ForgetsExpiry(testing::World& world);
void StopsExpiry(testing::World& world);

// Messages arrive at another QoS, or by another name.
void LowersQoS(testing::World& world);
void Renames(testing::World& world);

// UNSUBSCRIBE is answered and not done.
void KeepsSubscriptions(testing::World& world);

void SwallowsAcknowledgements(testing::World& world);  // PUBACK.
void SwallowsReleases(testing::World& world);          // PUBREL to clients.

}  // namespace mqttrpc::explorer::planted
