// What a test pod can do: serve, dial, look names up, print in a rhythm, wait. Static, so that its image holds nothing else.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const dialTimeout = 700 * time.Millisecond

func main() {
	if len(os.Args) < 2 {
		fail("usage: probe serve PORT... | dial PROTOCOL:HOST:PORT... | lookup NAME | tick COUNT MILLISECONDS | hold")
	}
	arguments := os.Args[2:]
	switch os.Args[1] {
	case "serve":
		for _, port := range arguments {
			serve(port)
		}
		hold()
	case "dial":
		dial(arguments)
	case "lookup":
		lookup(arguments[0])
	case "tick":
		tick(number(arguments[0]), time.Duration(number(arguments[1]))*time.Millisecond)
	case "hold":
		hold()
	default:
		fail("unknown command " + os.Args[1])
	}
}

// serve answers on a port over TCP (closes at once) and UDP (sends back what came).
func serve(port string) {
	listener, err := net.Listen("tcp4", ":"+port)
	check(err)
	go func() {
		for {
			connection, err := listener.Accept()
			check(err)
			_ = connection.Close()
		}
	}()
	packets, err := net.ListenPacket("udp4", ":"+port)
	check(err)
	go func() {
		buffer := make([]byte, 512)
		for {
			n, sender, err := packets.ReadFrom(buffer)
			check(err)
			_, _ = packets.WriteTo(buffer[:n], sender)
		}
	}()
}

// dial tries all targets at once and prints a JSON object: target -> whether it could be reached.
func dial(targets []string) {
	result := map[string]bool{}
	var lock sync.Mutex
	var all sync.WaitGroup
	for _, target := range targets {
		all.Go(func() {
			protocol, address, _ := strings.Cut(target, ":")
			open := reachable(protocol, address)
			lock.Lock()
			defer lock.Unlock()
			result[target] = open
		})
	}
	all.Wait()
	check(json.NewEncoder(os.Stdout).Encode(result))
}

func reachable(protocol, address string) bool {
	connection, err := net.DialTimeout(protocol+"4", address, dialTimeout)
	if err != nil {
		return false
	}
	defer connection.Close()
	if protocol == "tcp" {
		return true
	}
	_ = connection.SetDeadline(time.Now().Add(dialTimeout))
	if _, err := connection.Write([]byte("?")); err != nil {
		return false
	}
	_, err = connection.Read(make([]byte, 1))
	return err == nil
}

func lookup(name string) {
	bound, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	addresses, err := net.DefaultResolver.LookupHost(bound, name)
	check(err)
	fmt.Println(strings.Join(addresses, " "))
}

func tick(count int, pause time.Duration) {
	for i := range count {
		fmt.Println("tick", i)
		time.Sleep(pause)
	}
}

func hold() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
