package delivery

import "time"

// MostInHand is how many messages one sender may have at the same time.
const MostInHand = mostInHand

// SetTurnWait changes how long workers wait for their turn with a sender.
func (s *Service) SetTurnWait(d time.Duration) { s.turnWait = d }
