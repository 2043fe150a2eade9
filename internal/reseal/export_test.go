package reseal

// Small makes pages and runs short, so that few rows are many.
func (s *Service) Small(page, limit int) { s.page, s.limit = page, limit }
