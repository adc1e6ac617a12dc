#!/bin/bash
PASSWORD=s3cr3t$
