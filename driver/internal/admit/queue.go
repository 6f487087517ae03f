package admit

// queue is a list of tickets, oldest first, linked through the tickets themselves, so
// that waiting does not allocate.
type queue struct {
	first, last *Ticket
	length      int
}

func (q *queue) push(t *Ticket) {
	if q.last == nil {
		q.first = t
	} else {
		q.last.next = t
	}
	q.last = t
	q.length++
}

// remove removes t and reports whether it was in the queue.
func (q *queue) remove(t *Ticket) bool {
	var before *Ticket
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
