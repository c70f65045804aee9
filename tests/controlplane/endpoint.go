package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// endpoint is a loopback port that a server of ours listens on.
type endpoint struct {
	port   int
	server string
}

// reserve takes a free loopback port for as long as this process lives: a socket is bound to it but never listens, so no
// other program can be given the port, while the servers, which share it (SO_REUSEPORT), get every connection. That also
// keeps the port while a server is stopped and started again.
func reserve() (endpoint, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return endpoint{}, err
	}
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return endpoint{}, err
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return endpoint{}, err
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		return endpoint{}, err
	}
	port := name.(*unix.SockaddrInet4).Port
	return endpoint{port: port, server: fmt.Sprintf("https://127.0.0.1:%d", port)}, nil
}
