/* SPDX-License-Identifier: MIT */
/*
 * The disposal link: descriptors that nobody else may close travel over it to a closer (what clients
 * handed in) or to the bouncer (session sockets to be answered and closed).
 *
 * Why a process of its own: close() may block for ever (SO_LINGER, a pipe whose mutex somebody holds in
 * splice(2), a filesystem that does not answer flush), also with O_NONBLOCK, also in exit.
 * Why GO: the receiver may only close after the sender has closed its own copy, else the sender's close()
 * may be the last one and block. So: DISPOSE with descriptors, sender closes, GO, receiver closes, DONE.
 *
 * A SEQPACKET socketpair; messages are struct link_message, native byte order. At most one batch, of up to
 * LINK_BATCH_MAX descriptors, is under way at a time: that is the credit.
 *
 * The sender's own close() does not block, because the copy in flight keeps the object alive, with one
 * exception: a file whose filesystem has a flush (FUSE, NFS, CIFS, 9p: regular files, directories, devices
 * by path) is flushed by every close(). Such a descriptor must never be given to a link; it stays where it
 * arrived, in quarantine, until its process ends.
 * A receiver may be killed only while a batch is under way (it owes DONE): then nothing is between being
 * sent and being closed by us, and what the dead one held is not ours to close any more.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_BATCH_MAX 64u
#define LINK_ANSWER_MAX 64u /* bytes of an answer to be sent before closing */
#define LINK_FD_SELF 3	    /* the descriptor on which closer and bouncer find the link */

enum link_type {
	LINK_DISPOSE = 1, /* + n descriptors; answer, if any, is sent on each before it is closed */
	LINK_GO = 2,
	LINK_DONE = 3, /* receiver to sender: the batch is closed */
	LINK_KEEP = 4, /* + n descriptors, which only the receiver's end closes; no GO, no DONE */
};

struct link_message {
	uint32_t type;
	uint32_t n_fds;
	uint32_t answer_bytes;
	uint32_t shutdown; /* != 0: shutdown(SHUT_RDWR) each before closing */
	uint8_t answer[LINK_ANSWER_MAX];
};

/* Sending side, embedded in its owner; one thread. */
struct link_sender {
	int sock;		 /* -1: no receiver; everything waits */
	struct link_item *queue; /* what waits, a growing ring */
	size_t head, n_queued, cap;
	uint32_t n_under_way;	 /* descriptors in the batch that waits for DONE */
	uint32_t mark_under_way; /* of the first of them */
	uint32_t batch_max;
	uint32_t batch_now; /* <= batch_max: smaller after a message that the kernel did not take */
	bool go_owed; /* the batch is with the receiver, our copies are closed, GO is not sent */
	int64_t sent_at_ns; /* when that batch was sent; for the owner's deadline */
};

#define LINK_SENDER_NULL \
	(struct link_sender) \
	{ \
		.sock = -1 \
	}

/*
 * Take over sock (consumed), -1 if there is no receiver yet. batch_max: 1..LINK_BATCH_MAX; 1 makes the
 * receiver answer for each descriptor alone.
 */
void link_sender_init(struct link_sender *l, int take_sock, uint32_t batch_max);

/*
 * End: the queue's descriptors must be gone (asserted), or abandon says that the process is exiting and
 * the kernel may close them. Idempotent.
 */
void link_sender_deinit(struct link_sender *l, bool abandon);

/*
 * Queue a descriptor (consumed on success). answer: bytes to send before closing, copied, may be NULL; an
 * answered socket is also shut for receiving and drained, so that its peer reads the answer and not
 * ECONNRESET. shut: shutdown(SHUT_RDWR) before closing. A batch is a run of equal items.
 * Returns 0, or -ENOMEM with the descriptor still the caller's. Nothing is sent before link_sender_flush().
 */
int link_sender_take(
	struct link_sender *l, int take_fd, const void *answer, size_t answer_bytes, bool shut);

/* The item that was taken last is this one's; 0 without this. Items with different marks share no batch. */
void link_sender_mark(struct link_sender *l, uint32_t mark);

/* Take a queued descriptor with that mark out again: the caller's, its answer is lost. -1: there is none. */
int link_sender_give_back(struct link_sender *l, uint32_t mark);

/*
 * Send the next batch if none is under way: descriptors, then close our copies, then GO.
 * Returns 0 (sent, or nothing to do, or must wait for DONE), or -EPIPE when the receiver is gone: the
 * owner asks for a fresh one; what was under way is closed by the kernel with the dead receiver, the queue
 * stays. now_ns: for sent_at_ns.
 * A kernel that will not take the message now (full, no memory, too many descriptors in flight) is 0, too;
 * see link_sender_stalled().
 */
int link_sender_flush(struct link_sender *l, int64_t now_ns);

/*
 * After a flush that returned 0: something waits that no message from the receiver will wake; flush again
 * after a little while (tens of ms).
 */
bool link_sender_stalled(const struct link_sender *l);

/* The socket is readable: read DONE. Returns 1 batch done (flush again), 0 nothing, -EPIPE, -EPROTO. */
int link_sender_readable(struct link_sender *l);

/*
 * A fresh receiver in place of a dead one (consumed). The batch that was under way counts as done. Closes
 * the old socket: the owner deregisters that one first.
 */
void link_sender_replace(struct link_sender *l, int take_sock);

/*
 * The owner ends and waits for nobody: all that is queued goes to the receiver, as far as the kernel takes it, and
 * our copies are closed. The owner's end would close them otherwise, and may not. Afterwards only deinit.
 */
void link_sender_leave(struct link_sender *l);

/* Descriptors that are queued here or under way. */
size_t link_sender_pending(const struct link_sender *l);

/*
 * The receiving side's whole life: answer, shut down and close what comes until the link ends. Blocks, by
 * design. Returns 0 at end of file, -EPROTO on a message that no sender of ours makes, or -errno.
 */
int link_receiver_run(int sock);

#endif
