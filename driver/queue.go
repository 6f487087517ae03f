package driver

// queue is a list of tickets, oldest first, linked through the tickets
// themselves: waiting allocates nothing.
type queue struct {
	first, last *ticket
	length      int
}

func (q *queue) push(t *ticket) {
	if q.last == nil {
		q.first = t
	} else {
		q.last.next = t
	}
	q.last = t
	q.length++
}

// remove takes t out, wherever it stands; false when it is not there.
func (q *queue) remove(t *ticket) bool {
	var before *ticket
	for at := q.first; at != nil; before, at = at, at.next {
		if at != t {
			continue
		}
		if before == nil {
			q.first = t.next
		} else {
			before.next = t.next
		}
		if q.last == t {
			q.last = before
		}
		t.next = nil
		q.length--
		return true
	}
	return false
}
